"""What each AR step of a rollout contributes to the loss, and what that is divided by."""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.declare import record
from margrpo.records import ARStep, Evidence, Rollout
from margrpo.train.parts import Method


@record
class Share:
    """One AR step: the tokens that are scored, those that the penalty falls on if it has its own, and the divisors."""

    step: ARStep
    live: Bool[Tensor, "b n"]
    terms: int
    held: Bool[Tensor, "b n"] | None
    held_terms: int

    @property
    def images(self) -> list[int]:
        """The images of which anything is scored."""
        some = self.live if self.held is None else self.live | self.held
        return some.any(1).nonzero()[:, 0].tolist()


@record
class Part:
    """Some evidence with the divisor of its surrogate and of its penalty; None where there is no such term."""

    evidence: Evidence
    surrogate: int | None
    penalty: int | None


def shares(
    method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], selected: Sequence[Bool[Tensor, "b n"]]
) -> list[Share]:
    """The share of each AR step; images of zero advantage count in the divisors but are not scored."""
    where = method.leash.where
    held = [where.select(rollout, step) if where else None for step in rollout.steps]
    terms, held_terms = (divisors(method, rollout, masks) for masks in (selected, held))
    alive = (advantages != 0)[:, None]
    return [
        Share(step, mask & alive, divisor, held_mask, held_divisor)
        for step, mask, divisor, held_mask, held_divisor in zip(
            rollout.steps, selected, terms, held, held_terms, strict=True
        )
    ]


def divisors(method: Method, rollout: Rollout, masks: Sequence[Bool[Tensor, "b n"] | None]) -> list[int]:
    """What the objective divides the terms of each AR step by, given its trained transitions × marked tokens."""
    counts = [0 if mask is None else int(mask.sum()) * len(rollout.diffusion_steps) for mask in masks]
    return [max(1, divisor) for divisor in method.objective.divisors(method.total(counts))]


def parts_of(method: Method, rollout: Rollout, share: Share) -> list[Part]:
    """The evidence of an AR step; the penalty falls on the same, or on the main chains of tokens of its own."""
    evidence = method.estimator.evidence(rollout, share.step, share.live)
    if share.held is None:
        return [Part(each, share.terms, share.terms) for each in evidence]
    held = Part(Evidence.drawn(share.step.chain, share.held), None, share.held_terms)
    return [*(Part(each, share.terms, None) for each in evidence), held]
