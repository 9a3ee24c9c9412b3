"""Counts of a rollout's updates, and the log-probabilities that later updates compare with."""

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.train.timer import NO_TIMER, Timer


class OldLogProbs:
    """The log-probabilities of each chunk at the first update of a rollout, the ℓ_old of the ratio."""

    def __init__(self) -> None:
        self.of_chunks: dict[tuple[int, ...], Tensor] = {}

    def first(self, name: tuple[int, ...], logp: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
        """The log-probabilities of a chunk at the first update: `logp` itself when the chunk is new."""
        return self.of_chunks.setdefault(name, logp.detach())


class UpdateStats:
    """Counts and sums of the updates of one rollout, on this process.

    The timer ends a lap after each "selection", "backbone", "head" and "backbone's backward".
    """

    def __init__(self, timer: Timer = NO_TIMER) -> None:
        self.timer = timer
        self.old = OldLogProbs()
        self.surrogate: Tensor | float = 0.0
        self.divergence: Tensor | float = 0.0
        self.moved: Tensor | float = 0.0
        self.scored = 0
        self.selected: list[Tensor] = []
        self.evaluations = 0
        self.finite: Tensor | bool = True

    @property
    def tokens(self) -> int:
        """The number of selected tokens, images without an advantage included."""
        return sum(int(mask.sum()) for mask in self.selected)

    def restart(self) -> None:
        """Begin another update of the rollout."""
        self.surrogate = self.divergence = self.moved = 0.0
        self.scored, self.finite = 0, True

    def add_ratio(self, logp: Float[Tensor, "k m"], before: Float[Tensor, "k m"]) -> None:
        """Count the log-ratios of a chunk."""
        self.moved = self.moved + (logp.detach() - before).abs().sum()
        self.scored += logp.numel()

    def add_loss(self, value: Tensor, divergence: Tensor, *, evaluations: int) -> None:
        """Count the surrogate and the penalty of a chunk, and its evaluations of the head."""
        self.finite = self.finite & torch.isfinite(value) & torch.isfinite(divergence)
        self.surrogate = self.surrogate + value
        self.divergence = self.divergence + divergence
        self.evaluations += evaluations
