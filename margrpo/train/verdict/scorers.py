"""The built rewards of a recipe, each with its name, its traits and its scorer."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import HandlesFailure, OnFailure, Reward, Scorer, WrapsReward
from margrpo.declare import record
from margrpo.errors import DataError, RewardError
from margrpo.plugin.registry import registry
from margrpo.records import NO_LABEL, Prompts, Traits


@record
class BuiltReward:
    """A reward with its name in figures, its weight, its traits, its scorer and its policy for failures."""

    name: str
    weight: float
    traits: Traits
    policy: OnFailure
    scorer: Scorer

    def refuse_unreadable(self, prompts: Prompts) -> None:
        """Raise `DataError` if a prompt lacks a field that this reward reads."""
        for text, label, metadata in zip(prompts.text, prompts.label.tolist(), prompts.metadata, strict=True):
            lacking = {"text": not text.strip(), "label": label == NO_LABEL, "metadata": not metadata}
            for part in self.traits.reads:
                if lacking[part]:
                    raise DataError(
                        f"reward {self.name} reads the {part} of a prompt, which prompt {text!r} lacks; choose "
                        "[prompts] that have it, or another reward"
                    )


Scorers = tuple[BuiltReward, ...]


def build_rewards(rewards: Sequence[Reward], device: str) -> Scorers:
    """Build the rewards on a device, each with its name and its policy for failures."""
    return tuple(
        BuiltReward(name, reward.weight, reward.traits, policy_of(reward), reward.build(device))
        for name, reward in zip(reward_names(rewards), rewards, strict=True)
    )


@record
class _FailureEndsRun:
    """The default policy for failures: a single call without a time limit, and its error ends the run."""

    attempts: int = 1
    backoff: float = 0.0
    timeout: float | None = None

    def give_up(self, error: RewardError) -> None:
        """Raise the error."""
        raise error


def policy_of(reward: Reward) -> OnFailure:
    """The policy for failures in a reward's settings; the default raises."""
    otherwise: Any = _FailureEndsRun()
    chosen = reward.on_failure if isinstance(reward, HandlesFailure) else None
    return chosen or otherwise


def innermost(reward: Reward) -> Reward:
    """The reward inside any number of wrappers."""
    return innermost(reward.wraps) if isinstance(reward, WrapsReward) else reward


def reward_names(rewards: Sequence[Reward]) -> tuple[str, ...]:
    """The name of each reward in the recipe, or else of its class; numbered if it occurs twice."""
    return numbered([registry().short_name("reward", innermost(reward)) for reward in rewards])


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each followed by its place if it occurs twice."""
    return tuple(name if names.count(name) == 1 else f"{name}_{place}" for place, name in enumerate(names))


def weights(scorers: Scorers, device: str | torch.device = "cpu") -> Float[Tensor, "r"]:
    """The weight of each reward."""
    return torch.tensor([reward.weight for reward in scorers], device=device)
