"""The 1,797 handwritten digits that scikit-learn carries, in three disjoint parts."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec

import numpy as np
from einops import rearrange
from jaxtyping import Float, Int

from margrpo.errors import DataError

SIDE = 8
"""Width and height in pixels of an image."""
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PARTS = ("generator", "reward", "judge")
LESSON = 50
"""Images of each digit that a classifier learns from; the generator learns from the rest."""


@dataclass(frozen=True, eq=False)
class Split:
    """Grey images in [0, 1], where ink is 1, and the digit of each image."""

    images: Float[np.ndarray, "n 64"]
    labels: Int[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.labels)


@cache
def part(name: str) -> Split:
    """The images of part `name` of `PARTS`, in the order of the collection; `DataError` if scikit-learn is missing."""
    whole = _collection()
    chosen = np.sort([index for digit in range(len(NAMES)) for index in _dealt(whole.labels, digit)[name]])
    return Split(whole.images[chosen], whole.labels[chosen])


def problems() -> list[str]:
    """A sentence if scikit-learn is missing, which is found out without importing it."""
    if find_spec("sklearn"):
        return []
    return ['scikit-learn, which carries the handwritten digits, is not installed; pip install "margrpo[digits]"']


def _dealt(labels: Int[np.ndarray, "n"], digit: int) -> dict[str, list[int]]:
    """The indices of one digit's images, part by part."""
    indices = sorted(np.flatnonzero(labels == digit).tolist(), key=_shuffle)
    cuts = (None, -2 * LESSON, -LESSON, None)
    return {name: indices[cuts[place] : cuts[place + 1]] for place, name in enumerate(PARTS)}


def _shuffle(index: int) -> str:
    """A sort key that mixes the images in the same way on every machine and with every numpy."""
    return sha256(f"digit {index}".encode()).hexdigest()


@cache
def _collection() -> Split:
    if missing := problems():
        raise DataError(missing[0])
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Split(rearrange(digits.images / 16, "n h w -> n (h w)"), digits.target)
