"""The outcome of a training step."""

from collections.abc import Sequence
from dataclasses import field

from jaxtyping import Float
from torch import Tensor

from margrpo.declare import record
from margrpo.records import Rollout


@record
class Outcome:
    """The outcome of a training step.

    - `figures`: the figures of all processes.
    - `notes`: sentences about unusual events.
    - `rollout`: the images of this process.
    - `distributions`: values of the images of all processes, by name.
    - `spoiled`: whether numbers of this process were not finite.
    - `cause`: likely cause of numbers that are not finite.
    """

    figures: dict[str, float]
    notes: Sequence[str]
    rollout: Rollout
    distributions: dict[str, Float[Tensor, "_"]] = field(default_factory=dict)
    spoiled: bool = False
    cause: str = ""
