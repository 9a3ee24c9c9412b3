"""Surrogates whose gradient is a policy gradient."""

from jaxtyping import Float

from margrpo.lazy import Tensor, torch


def on_policy(logp: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]) -> Float[Tensor, "k m"]:
    """exp(ℓ − sg ℓ)·A: its value is A, its gradient A·∇ℓ   (grpo, eq. 3 on policy)."""
    return (logp - logp.detach()).exp() * advantage


LARGEST = 20.0
"""Largest log-ratio that is exponentiated: at 89 float32 overflows, and 0 · ∞ in the backward pass is NaN."""


def clipped(
    logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"], clip: float
) -> Float[Tensor, "k m"]:
    """min(ρA, clip(ρ, 1 − c, 1 + c) A) with ρ = exp(ℓ − ℓ_old)   (ppo, eq. 7)."""
    ratio = (logp - old.detach()).clamp(max=LARGEST).exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
