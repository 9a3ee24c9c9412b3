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
        """The advantage A of each transition, whose gradient is the policy gradient."""
        return surrogate.on_policy(logp, advantage)

    def divisors(self, counts: Sequence[int]) -> list[int]:
        """The number of terms of all AR steps together, for each AR step."""
        return [sum(counts)] * len(counts)


@component
class StepSum:
    """The objective of the release of mar_grpo: `on_policy`, with a mean for each AR step, and the means summed.

    The gradient grows with the number of trained AR steps. A token counts more in a step with few unknown tokens.
    """

    updates = 1

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """The advantage A of each transition, whose gradient is the policy gradient."""
        return surrogate.on_policy(logp, advantage)

    def divisors(self, counts: Sequence[int]) -> list[int]:
        """The number of terms of each AR step."""
        return list(counts)


@component
class Clipped:
    """Several optimizer steps per rollout, with the ratio of each transition clipped   (ppo, eq. 7)."""

    updates: int = setting(2, "optimizer steps per rollout", check=at_least(1))
    clip: float = setting(0.2, "largest distance of the ratio from 1", check=positive)

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """min(ρA, clip(ρ)A) per transition."""
        return surrogate.clipped(logp, old, advantage, self.clip)

    def divisors(self, counts: Sequence[int]) -> list[int]:
        """The number of terms of all AR steps together, for each AR step."""
        return [sum(counts)] * len(counts)
