"""The requirement in a prompt's metadata, in the public format of GenEval.

{"tag": "position", "include": [{"class": "dog", "count": 1},
                                {"class": "cat", "count": 1, "color": "black", "position": ["left of", 0]}],
 "exclude": [{"class": "cat", "count": 2}]}
"""

from collections.abc import Mapping
from typing import Any

from margrpo import record
from margrpo.errors import DataError
from margrpo_geneval.colours import PALETTE

WORDS = ("left of", "right of", "above", "below")
COUNTING = "counting"
"""The tag of prompts that are scored with `counting_threshold`."""


@record
class Wanted:
    """An entry: `count` objects of a class, with an optional colour and an optional relation to an earlier entry."""

    name: str
    count: int
    colour: str | None = None
    relation: str | None = None
    reference: int = 0


@record
class Asked:
    """The entries of a prompt, wanted and unwanted; an unwanted class must have fewer objects than `count`."""

    tag: str
    include: tuple[Wanted, ...]
    exclude: tuple[Wanted, ...]

    @property
    def names(self) -> list[str]:
        """The distinct classes of wanted and unwanted entries."""
        return list(dict.fromkeys(each.name for each in (*self.include, *self.exclude)))


def asked(metadata: Mapping[str, Any], prompt: str) -> Asked:
    """The requirement of a prompt's metadata; `DataError` names the prompt and the wrong key."""
    include = entries(metadata, "include", prompt)
    if not include:
        raise refusal(prompt, "include", "is missing or empty, and must list the objects to be seen")
    for place, each in enumerate(include):
        if each.relation is not None and not 0 <= each.reference < place:
            raise refusal(
                prompt, f"include.{place}.position", f"refers to entry {each.reference}, which is not before it"
            )
    return Asked(str(metadata.get("tag", "")), include, entries(metadata, "exclude", prompt))


def entries(metadata: Mapping[str, Any], key: str, prompt: str) -> tuple[Wanted, ...]:
    """The entries of the list under `key`."""
    listed = metadata.get(key, [])
    if not isinstance(listed, list):
        raise refusal(prompt, key, "must be a list")
    return tuple(entry(each, f"{key}.{place}", prompt) for place, each in enumerate(listed))


def entry(said: Any, where: str, prompt: str) -> Wanted:
    """The entry of a JSON object."""
    if not isinstance(said, Mapping):
        raise refusal(prompt, where, "must be an object")
    name, count, colour = said.get("class"), said.get("count", 1), said.get("color")
    if not isinstance(name, str) or not name:
        raise refusal(prompt, f"{where}.class", f"is {name!r}, and must be the name of a class")
    if type(count) is not int or count < 1:
        raise refusal(prompt, f"{where}.count", f"is {count!r}, and must be a whole number from 1")
    if colour is not None and colour not in list(PALETTE):
        raise refusal(prompt, f"{where}.color", f"is {colour!r}, and must be one of {', '.join(PALETTE)}")
    relation, reference = position(said.get("position"), f"{where}.position", prompt)
    return Wanted(name, count, colour, relation, reference)


def position(said: Any, where: str, prompt: str) -> tuple[str | None, int]:
    """The word of a relation and the number of the entry that it refers to."""
    if said is None:
        return None, 0
    if not isinstance(said, list | tuple) or len(said) != 2 or said[0] not in WORDS or type(said[1]) is not int:
        raise refusal(prompt, where, f"is {said!r}, and must be [word, entry] with a word of {', '.join(WORDS)}")
    return said[0], said[1]


def refusal(prompt: str, key: str, trouble: str) -> DataError:
    """An error about a key of a prompt's metadata."""
    return DataError(f"reward geneval: {key!r} in the metadata of prompt {prompt!r} {trouble}")
