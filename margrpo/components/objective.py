"""The surrogate whose gradient is the direction of the update."""

from collections.abc import Sequence

from jaxtyping import Float

from margrpo.declare import at_least, component, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import surrogate


@component
class OnPolicy:
    """One optimizer step per rollout: exp(ℓ − sg ℓ)·A, whose gradient is A·∇ℓ."""

    updates = 1

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """A per transition, with the gradient of the policy gradient."""
        return surrogate.on_policy(logp, advantage)

    def divisors(self, counts: Sequence[int]) -> list[int]:
        """One mean over the terms of all AR steps."""
        return [sum(counts)] * len(counts)


@component
class StepSum:
    """As `on_policy`, but each AR step has a mean of its own and the means are summed, as in the release of mar_grpo.

    The gradient is so many times larger as there are trained AR steps, and a token of a step with few unknown ones
    weighs more.
    """

    updates = 1

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """A per transition, with the gradient of the policy gradient."""
        return surrogate.on_policy(logp, advantage)

    def divisors(self, counts: Sequence[int]) -> list[int]:
        """A mean over the terms of each AR step."""
        return list(counts)


@component
class Clipped:
    """Several optimizer steps per rollout, with the ratio of each transition clipped   (ppo, eq. 7)."""

    updates: int = setting(2, "optimizer steps per rollout", check=at_least(1))
    clip: float = setting(0.2, "how far the ratio may leave 1", check=positive)

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """min(ρA, clip(ρ)A) per transition."""
        return surrogate.clipped(logp, old, advantage, self.clip)

    def divisors(self, counts: Sequence[int]) -> list[int]:
        """One mean over the terms of all AR steps."""
        return [sum(counts)] * len(counts)
