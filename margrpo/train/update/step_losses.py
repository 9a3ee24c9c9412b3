"""What each AR step of a rollout contributes to the loss, and what that is divided by."""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.declare import record
from margrpo.distributed.counts import all_reduce_counts
from margrpo.records import ARStep, Rollout, Transitions
from margrpo.train.update.method import Method


@record
class StepLoss:
    """One AR step's share of the loss.

    - `live`: the tokens whose surrogate is scored.
    - `divisor`: what the surrogate is divided by.
    - `penalised`: the tokens that the penalty falls on, where it has tokens of its own.
    - `penalty_divisor`: what that penalty is divided by.
    """

    step: ARStep
    live: Bool[Tensor, "b n"]
    divisor: int
    penalised: Bool[Tensor, "b n"] | None
    penalty_divisor: int

    @property
    def images(self) -> list[int]:
        """The images of which anything is scored."""
        some = self.live if self.penalised is None else self.live | self.penalised
        return some.any(1).nonzero()[:, 0].tolist()


@record
class LossTerm:
    """Transitions with the divisor of their surrogate and of their penalty; None where there is no such term."""

    transitions: Transitions
    surrogate: int | None
    penalty: int | None


def step_losses(
    method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], selected: Sequence[Bool[Tensor, "b n"]]
) -> list[StepLoss]:
    """The share of each AR step; images of zero advantage count in the divisors but are not scored."""
    where = method.regularizer.where
    penalised = [where.select(rollout, step) if where else None for step in rollout.steps]
    columns = (selected, divisors(method, rollout, selected), penalised, divisors(method, rollout, penalised))
    alive = (advantages != 0)[:, None]
    return [
        StepLoss(step, mask & alive, divisor, own, own_divisor)
        for step, mask, divisor, own, own_divisor in zip(rollout.steps, *columns, strict=True)
    ]


def divisors(method: Method, rollout: Rollout, masks: Sequence[Bool[Tensor, "b n"] | None]) -> list[int]:
    """What the objective divides the terms of each AR step by, given its trained transitions × marked tokens."""
    counts = [0 if mask is None else int(mask.sum()) * len(rollout.diffusion_steps) for mask in masks]
    totals = all_reduce_counts(method.processes, *counts)
    return [max(1, divisor) for divisor in method.objective.divisors(totals)]


def loss_terms(method: Method, rollout: Rollout, loss: StepLoss) -> list[LossTerm]:
    """The terms of an AR step; the penalty falls on the scored transitions, or on the main chains of its own tokens."""
    scored = method.estimator.transitions(rollout, loss.step, loss.live)
    if loss.penalised is None:
        return [LossTerm(each, loss.divisor, loss.divisor) for each in scored]
    own = LossTerm(Transitions.drawn(loss.step.chain, loss.penalised), None, loss.penalty_divisor)
    return [*(LossTerm(each, loss.divisor, None) for each in scored), own]
