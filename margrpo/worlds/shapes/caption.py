"""Captions and requirements, and the translation both ways."""

from difflib import get_close_matches
from functools import cache

from margrpo.errors import DataError

from .colour import COLOURS
from .repertoire import repertoire
from .requirement import KINDS, Asked, Requirement
from .silhouette import SHAPES

_NUMBERS = {2: "two", 3: "three", 4: "four"}
_PLURALS = {shape: "crosses" if shape == "cross" else f"{shape}s" for shape in SHAPES}
_GRAMMAR = ("a", "and", "left", "right", "of", "above", "below")
VOCABULARY: tuple[str, ...] = (*_GRAMMAR, *_NUMBERS.values(), *COLOURS, *SHAPES, *_PLURALS.values())
"""Every word of every caption, in a fixed order: a word's index may serve as its token id."""


class UnknownCaption(DataError):
    """A text that is not a caption of the world `shapes`."""


def caption(requirement: Requirement) -> str:
    """The only text that `parse` reads as `requirement`."""
    first, *rest = requirement.objects
    if requirement.kind == "counting":
        number = _NUMBERS[len(requirement.objects)]
        return " ".join(filter(None, (number, first.colour, _PLURALS[first.shape])))
    joint = requirement.relation or "and"
    return f" {joint} ".join(_phrase(asked) for asked in (first, *rest))


def parse(text: str) -> Requirement:
    """The requirement that a caption of this world expresses; `UnknownCaption` for any other text."""
    known = _requirements()
    if text not in known:
        closest = get_close_matches(text, known, n=1, cutoff=0.0)
        example = closest[0] if closest else "a red circle left of a blue square"
        raise UnknownCaption(
            f"{text!r} is not a caption of the world 'shapes'{_strangers(text)}; "
            f"write one of its six kinds ({', '.join(KINDS)}), for example {example!r}."
        )
    return known[text]


def words(text: str) -> tuple[str, ...]:
    """The words of a caption; all are in `VOCABULARY`."""
    return tuple(text.split())


def _phrase(asked: Asked) -> str:
    return " ".join(filter(None, ("a", asked.colour, asked.shape)))


def _strangers(text: str) -> str:
    unknown = [repr(word) for word in dict.fromkeys(text.split()) if word not in VOCABULARY]
    return f", which has no word {' or '.join(unknown)}" if unknown else ""


@cache
def _requirements() -> dict[str, Requirement]:
    return {caption(one): one for kind in KINDS for one in repertoire(kind)}
