"""Contracts of the verdict: rewards, policies for rewards that fail, and advantages."""

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
    """A score of finished images; `weight` is its factor in the sum of all rewards."""

    weight: float

    @property
    def traits(self) -> Traits:
        """The properties of the scores that are known beforehand: their range, inputs and cost."""
        ...

    def build(self, device: str) -> "Scorer":
        """Make the scorer with its networks on `device`; a reward without networks may return itself."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """The object that a reward builds."""

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """One finite score per image; larger is better.

        - Values of `images` are in [0, 1].
        - The score of an image must not depend on the other images of the batch.
        - Gradients are off. A call may come from any thread.
        """
        ...


@runtime_checkable
class WrapsReward(Protocol):
    """A reward around another reward; figures are named after the inner one."""

    @property
    def wraps(self) -> Reward:
        """The inner reward."""
        ...


@runtime_checkable
class ShipsCases(Protocol):
    """An optional part of a reward: images with known scores, for `margrpo rewards test`."""

    def cases(self) -> Sequence[Case]:
        """Images with prompts, and the range in which each score must lie."""
        ...


@runtime_checkable
class HandlesFailure(Protocol):
    """An optional part of a reward: a policy for failures. Without a policy, a failure ends the run."""

    @property
    def on_failure(self) -> "OnFailure | None":
        """The policy that the reward's settings choose."""


@runtime_checkable
class OnFailure(Protocol):
    """A policy for a reward that raises, takes too long, or does not return one finite number per image.

    - `attempts`: calls before the policy gives up.
    - `backoff`: seconds before the second call; doubled for each call after it.
    - `timeout`: seconds that a call may take; None is no limit.
    """

    attempts: int
    backoff: float
    timeout: float | None

    def give_up(self, error: RewardError) -> None:
        """Raise `error` after the last call, or return, which drops the prompt's group from the step."""
        ...


@runtime_checkable
class Advantage(Protocol):
    """A way to turn rewards into advantages; `smallest_group` is the least number of images per prompt."""

    smallest_group: int

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The advantage of each image within its group.

        The advantages of a group are 0 if all its images have equal rewards.
        """
        ...
