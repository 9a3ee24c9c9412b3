"""Comparison of the update with the dense implementation: the head on all tokens and chains, in one graph."""

from typing import Any

import torch

from margrpo.declare import record
from margrpo.errors import RunError
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.figures import Figures
from margrpo.evaluate.bench.step import UpdateCounts, update_counts
from margrpo.nets.dropout import drops
from margrpo.train.timer import Timer

LIMITS = {"loss_relative_error": 1e-4, "gradient_relative_error": 1e-3}
"""Largest relative difference of update and dense loss in float32; 50 times as much in lower precision."""
ROUGHER = 50


@record
class DenseComparison:
    """The update and the dense implementation on one rollout."""

    ours: Figures
    dense: Figures
    loss_relative_error: float
    gradient_relative_error: float
    limits: dict[str, float]

    @property
    def agrees(self) -> bool:
        """Whether both computed equal losses and gradients."""
        return all(getattr(self, name) <= limit for name, limit in self.limits.items())

    def as_dict(self) -> dict[str, Any]:
        """A dictionary for a JSON file."""
        return {
            "speedup": self.dense.cost.seconds / self.ours.cost.seconds,
            "memory_ratio": self.ours.cost.peak_bytes / self.dense.cost.peak_bytes,
            "loss_relative_error": self.loss_relative_error,
            "gradient_relative_error": self.gradient_relative_error,
            "limits": self.limits,
            "agrees": self.agrees,
            "dense": self.dense.as_dict(),
        }


def measure_against_dense(bench: Bench, *, repeats: int) -> tuple[DenseComparison, UpdateCounts]:
    """Measure the update and the dense implementation on one rollout, after comparing their results."""
    if bench.session.method.replay.uses_dropout and drops(bench.session.model):
        raise RunError(
            "--against dense: this recipe drops out in the replay, and the plain way draws other places; add --set "
            "policy.dropout=0"
        )
    rough = bench.pipeline.dtype != torch.float32 or torch.get_float32_matmul_precision() != "highest"
    limits = {name: limit * (ROUGHER if rough else 1) for name, limit in LIMITS.items()}
    rollout = bench.drawn()
    stats = bench.update(rollout, Timer(bench.pipeline.device))
    ours, loss = bench.gradient(), float(stats.divergence) - float(stats.surrogate)
    plain = bench.dense(rollout, Timer(bench.pipeline.device))
    theirs = bench.gradient()
    errors = (relative(loss - plain, plain), relative(float((ours - theirs).norm()), float(theirs.norm())))
    figures = bench.timed(
        lambda timer: bench.update(rollout, timer), lambda timer: bench.dense(rollout, timer), repeats=repeats
    )
    ours_cost, dense_cost = figures
    return DenseComparison(ours_cost, dense_cost, *errors, limits), update_counts(bench, rollout, stats)


def relative(difference: float, value: float) -> float:
    """|difference / value|; 0 if both are 0."""
    return abs(difference / value) if value else abs(difference)
