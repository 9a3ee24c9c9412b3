"""Choices of the AR steps and transitions of a rollout that are trained on."""

from collections.abc import Sequence

from margrpo.declare import at_least, component, setting
from margrpo.lazy import Generator, torch


@component
class Random:
    """Random AR steps and transitions, drawn once per rollout   (mar_grpo, section 4)."""

    ar_steps: int = setting(12, "number of AR steps to keep", check=at_least(1))
    transitions: int = setting(10, "number of transitions with a density to keep", check=at_least(1))

    kept_settings = ("ar_steps", "transitions")

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Random AR steps in ascending order, and random transitions in descending order of t."""
        steps = torch.randperm(ar_steps, generator=generator)[: self.ar_steps].tolist()
        places = torch.randperm(len(transitions), generator=generator)[: self.transitions].tolist()
        return tuple(sorted(steps)), tuple(sorted((transitions[place] for place in places), reverse=True))

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        """The settings `ar_steps` and `transitions`."""
        return self.ar_steps, self.transitions


@component
class Every:
    """All AR steps and all transitions that have a density."""

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """All AR steps in ascending order, and all transitions that have a density in descending order of t."""
        return tuple(range(ar_steps)), tuple(sorted(transitions, reverse=True))

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        """All AR steps and all transitions that have a density."""
        return ar_steps, transitions
