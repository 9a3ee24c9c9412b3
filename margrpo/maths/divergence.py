"""Divergences of a transition under the current weights from the transition under the reference."""

from jaxtyping import Float

from margrpo.lazy import Tensor


def gaussian_kl(
    mean: Float[Tensor, "*m d"], reference: Float[Tensor, "*m d"], std: Float[Tensor, "*m d"]
) -> Float[Tensor, "*m"]:
    """KL( N(μ, σ²) ‖ N(μ_ref, σ²) ) = Σ_d (μ − μ_ref)² / 2σ², in nats."""
    return ((mean.float() - reference.float()) ** 2 / (2 * std.float() ** 2)).sum(-1)


def k3_of_means(mean: Float[Tensor, "*m d"], reference: Float[Tensor, "*m d"]) -> Float[Tensor, "*m"]:
    """Σ_d exp(δ) − δ − 1 with δ = μ_ref − μ: the k3 formula applied to means, as the public MAR-GRPO release does.

    It is not a divergence of densities: δ is a difference of token values, not of log-probabilities (k3).
    """
    delta = reference.float() - mean.float()
    return (delta.exp() - delta - 1).sum(-1)
