"""The surrogate whose gradient is the direction of the update."""

from jaxtyping import Float

from margrpo.declare import at_least, component, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import surrogate


@component
class OnPolicy:
    """One optimizer step per rollout: exp(ℓ − sg ℓ)·A, whose gradient is A·∇ℓ."""

    updates = 1
    per_step: bool = setting(False, "sum the means of the AR steps instead of one mean over all terms")

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """A per transition, with the gradient of the policy gradient."""
        return surrogate.on_policy(logp, advantage)


@component
class Clipped:
    """Several optimizer steps per rollout, with the ratio of each transition clipped   (ppo, eq. 7)."""

    updates: int = setting(2, "optimizer steps per rollout", check=at_least(1))
    clip: float = setting(0.2, "how far the ratio may leave 1", check=positive)
    per_step: bool = setting(False, "sum the means of the AR steps instead of one mean over all terms")

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """min(ρA, clip(ρ)A) per transition."""
        return surrogate.clipped(logp, old, advantage, self.clip)
