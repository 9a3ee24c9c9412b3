"""The main chain, with the noise integrated out where that is allowed."""

from jaxtyping import Bool

from margrpo import component, positive, setting
from margrpo.lazy import Tensor
from margrpo.records import ARStep, Chains, Needs, Rollout, Transitions


@component
class Integrated:
    """Committed tokens by what was drawn; of the others, whose draws are thrown away, by what was to be expected.

    A committed token's noise made the image, so the reward depends on it and it must stay. The noise of an uncommitted
    one made nothing, and its expectation has the same gradient with less variance.
    """

    later: float = setting(1.0, "weight of uncommitted tokens against committed ones", check=positive)

    def needs(self) -> Needs:
        """Nothing beyond what the selector needs."""
        return Needs()

    def chains(self, tokens: int) -> Chains:
        """The main chain."""
        return Chains()

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """One chain for every selected token."""
        return [
            Transitions.drawn(step.chain, selected & step.committed),
            Transitions.expected(step.chain, selected & ~step.committed, self.later),
        ]
