"""The verdict: rewards, what is done when one fails, and advantages."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int

from margrpo.errors import RewardError
from margrpo.lazy import Tensor
from margrpo.records import (
    Case,
    Prompts,
    Traits,
)


@runtime_checkable
class Reward(Protocol):
    """A score of finished images."""

    weight: float

    @property
    def traits(self) -> Traits:
        """What can be known of its scores before there are any."""
        ...

    def build(self, device: str) -> "Scorer":
        """Make what scores, with its networks on a device; a reward that has none returns itself."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """The built reward."""

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """One finite number an image, larger is better; the same whatever other images there are.

        Values of images are in [0, 1]. Gradients are off, and a call may come from any thread.
        """
        ...


@runtime_checkable
class WrapsReward(Protocol):
    """A reward that passes another reward on; figures have the other's name."""

    @property
    def wraps(self) -> Reward:
        """The other reward."""
        ...


@runtime_checkable
class ShipsCases(Protocol):
    """What a reward may have besides: images whose scores are known, for `margrpo rewards test`."""

    def cases(self) -> Sequence[Case]:
        """Images with prompts, and between which numbers their scores must lie."""
        ...


@runtime_checkable
class HandlesFailure(Protocol):
    """What a reward may have besides: a policy for the case that it fails; without one a failure ends the run."""

    @property
    def on_failure(self) -> "OnFailure | None":
        """The policy that its settings choose."""


@runtime_checkable
class OnFailure(Protocol):
    """What is done when a reward raises, takes too long, or returns what is no finite number for each image."""

    attempts: int
    backoff: float
    timeout: float | None

    def give_up(self, error: RewardError) -> None:
        """Raise the error after the last call, or return where the prompt's group is to take no part in the step."""
        ...


@runtime_checkable
class Advantage(Protocol):
    """How rewards become advantages."""

    smallest_group: int

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The advantage of each image among those of its group; 0 where each reward is the same in all of a group."""
        ...
