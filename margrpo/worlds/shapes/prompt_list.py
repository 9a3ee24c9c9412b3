"""Captions to train on, and held-out captions, which are not paraphrases of training captions."""

from functools import cache
from hashlib import sha256
from itertools import chain, zip_longest

from margrpo.errors import DataError

from .caption import caption
from .repertoire import repertoire
from .requirement import KINDS, Requirement, meaning

HELD_OUT_SHARE = 0.25


class TooFewCaptions(DataError):
    """More held-out captions were asked for than there are."""


@cache
def train_captions() -> tuple[str, ...]:
    """Every caption that is not held out, kind by kind; one kind (position) is most of them, so draw the kind first."""
    held = frozenset(held_out_captions())
    captions = (caption(one) for kind in KINDS for one in repertoire(kind))
    return tuple(text for text in captions if text not in held)


def held_out_captions(count: int | None = None) -> tuple[str, ...]:
    """The first `count` held-out captions (None: all), in an order that balances `KINDS` in every prefix."""
    held = _held_out()
    if count is not None and not 0 <= count <= len(held):
        raise TooFewCaptions(
            f"{count} held-out captions were asked for, but the world 'shapes' has {len(held)}; "
            f"ask for 0 to {len(held)}."
        )
    return held[:count]


@cache
def _held_out() -> tuple[str, ...]:
    rounds = zip_longest(*map(_held_out_of, KINDS))
    return tuple(text for text in chain.from_iterable(rounds) if text is not None)


def _held_out_of(kind: str) -> list[str]:
    """A quarter of the kind's meanings, at least one; all in one wording first, then all with objects swapped."""
    wordings: dict[Requirement, list[str]] = {}
    for one in repertoire(kind):
        wordings.setdefault(meaning(one), []).append(caption(one))
    shuffled = [sorted(texts, key=_shuffle) for texts in wordings.values()]
    shuffled.sort(key=lambda texts: _shuffle(texts[0]))
    held = shuffled[: max(1, round(HELD_OUT_SHARE * len(shuffled)))]
    return [text for wording in zip_longest(*held) for text in wording if text is not None]


def _shuffle(text: str) -> str:
    """A sort key that mixes the captions in the same way on every machine and with every numpy."""
    return sha256(text.encode()).hexdigest()
