"""The main chain, with the noise of uncommitted tokens integrated out."""

from jaxtyping import Bool

from margrpo import component, positive, setting
from margrpo.lazy import Tensor
from margrpo.records import ARStep, Chains, Needs, Rollout, Transitions


@component
class Integrated:
    """Drawn transitions of committed tokens, and expected transitions of uncommitted tokens.

    The noise of a committed token made the image, so the reward depends on it and it must stay. The noise of an
    uncommitted token did not make the image, and its expectation has an equal gradient with less variance.
    """

    later: float = setting(1.0, "weight of uncommitted tokens, relative to committed tokens", check=positive)

    def needs(self) -> Needs:
        """The estimator adds no needs of its own."""
        return Needs()

    def chains(self, tokens: int) -> Chains:
        """The main chain."""
        return Chains()

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """The main chain of every selected token."""
        return [
            Transitions.drawn(step.chain, selected & step.committed),
            Transitions.expected(step.chain, selected & ~step.committed, self.later),
        ]
