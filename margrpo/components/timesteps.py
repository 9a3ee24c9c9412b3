"""Which AR steps and transitions of a rollout are trained on."""

from collections.abc import Sequence

from margrpo.declare import at_least, component, setting
from margrpo.lazy import Generator, torch


@component
class Random:
    """A random few, drawn once per rollout   (mar_grpo, section 4)."""

    ar_steps: int = setting(12, "AR steps kept of those of the rollout", check=at_least(1))
    transitions: int = setting(10, "transitions kept of those that have a density", check=at_least(1))

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Kept AR steps, ascending, and kept transitions, descending as they are taken."""
        steps = torch.randperm(ar_steps, generator=generator)[: self.ar_steps].tolist()
        places = torch.randperm(len(transitions), generator=generator)[: self.transitions].tolist()
        return tuple(sorted(steps)), tuple(sorted((transitions[place] for place in places), reverse=True))

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        """The settings `ar_steps` and `transitions`."""
        return self.ar_steps, self.transitions


@component
class Every:
    """All of them."""

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """All AR steps, ascending, and all transitions that have a density, descending."""
        return tuple(range(ar_steps)), tuple(sorted(transitions, reverse=True))

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        """All of them."""
        return ar_steps, transitions
