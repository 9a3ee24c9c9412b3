"""The contributions of each AR step of a rollout to the loss, and their divisors."""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.declare import record
from margrpo.distributed.counts import all_reduce_counts
from margrpo.records import ARStep, Rollout, Transitions
from margrpo.train.update.method import Method


@record
class StepLoss:
    """The loss of an AR step.

    - `live`: the tokens whose surrogate is scored.
    - `divisor`: divisor of the surrogate.
    - `penalised`: the tokens that are penalised, if the penalty has tokens of its own; else None.
    - `penalty_divisor`: divisor of a penalty with tokens of its own.
    """

    step: ARStep
    live: Bool[Tensor, "b n"]
    divisor: int
    penalised: Bool[Tensor, "b n"] | None
    penalty_divisor: int

    @property
    def images(self) -> list[int]:
        """The images that have scored tokens."""
        some = self.live if self.penalised is None else self.live | self.penalised
        return some.any(1).nonzero()[:, 0].tolist()


@record
class LossTerm:
    """Transitions with the divisors of their surrogate and penalty; None if a term is absent."""

    transitions: Transitions
    surrogate: int | None
    penalty: int | None


def step_losses(
    method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], selected: Sequence[Bool[Tensor, "b n"]]
) -> list[StepLoss]:
    """The loss of each AR step; images of zero advantage count in the divisors but are not scored."""
    where = method.regularizer.where
    penalised = [where.select(rollout, step) if where else None for step in rollout.steps]
    columns = (selected, divisors(method, rollout, selected), penalised, divisors(method, rollout, penalised))
    alive = (advantages != 0)[:, None]
    return [
        StepLoss(step, mask & alive, divisor, own, own_divisor)
        for step, mask, divisor, own, own_divisor in zip(rollout.steps, *columns, strict=True)
    ]


def divisors(method: Method, rollout: Rollout, masks: Sequence[Bool[Tensor, "b n"] | None]) -> list[int]:
    """The objective's divisors of each AR step, from its number of trained transitions × marked tokens."""
    counts = [0 if mask is None else int(mask.sum()) * len(rollout.diffusion_steps) for mask in masks]
    totals = all_reduce_counts(method.processes, *counts)
    return [max(1, divisor) for divisor in method.objective.divisors(totals)]


def loss_terms(method: Method, rollout: Rollout, loss: StepLoss) -> list[LossTerm]:
    """The terms of an AR step; a penalty uses the scored transitions, or the main chains of its own tokens."""
    scored = method.estimator.transitions(rollout, loss.step, loss.live)
    if loss.penalised is None:
        return [LossTerm(each, loss.divisor, loss.divisor) for each in scored]
    own = LossTerm(Transitions.drawn(loss.step.chain, loss.penalised), None, loss.penalty_divisor)
    return [*(LossTerm(each, loss.divisor, None) for each in scored), own]
