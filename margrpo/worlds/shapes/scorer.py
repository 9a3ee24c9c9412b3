"""Scores of images against requirements."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from margrpo.errors import RewardError

from .closeness import closeness
from .detection import Found, find
from .requirement import Requirement
from .satisfaction import satisfies


@dataclass(frozen=True)
class Score:
    """The scores of an image against a requirement.

    - `strict`: 1 if the image holds exactly the required objects, else 0.
    - `soft`: closeness to the requirement, in [0, 1]; 1 exactly if `strict` is 1.
    - `found`: the objects in the image.
    """

    strict: float
    soft: float
    found: tuple[Found, ...]


def score(image: Float[np.ndarray, "3 32 32"], requirement: Requirement) -> Score:
    """The score of one image, whose values are in [0, 1]."""
    return scores(image[None], (requirement,))[0]


def scores(images: Float[np.ndarray, "b 3 32 32"], requirements: Sequence[Requirement]) -> tuple[Score, ...]:
    """The score of each image against its own requirement, equal to `score` and faster."""
    if not np.isfinite(images).all():
        broken = np.flatnonzero(~np.isfinite(images).all((1, 2, 3))).tolist()
        raise RewardError(f"The images numbered {broken} hold values that are not finite; they cannot be scored.")
    pairs = zip(find(images), requirements, strict=True)
    return tuple(Score(float(satisfies(found, one)), closeness(found, one), found) for found, one in pairs)
