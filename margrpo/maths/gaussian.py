"""The density of one reverse transition."""

import math

from jaxtyping import Float

from margrpo.lazy import Tensor
from margrpo.records import Gaussian


def log_density(
    x: Float[Tensor, "*m d"], mean: Float[Tensor, "*m d"], std: Float[Tensor, "*m d"]
) -> Float[Tensor, "*m"]:
    """The log-density of N(mean, std²) at x, summed over channels, in float32.

    ℓ = Σ_d [ −(x − μ)² / 2σ² − log σ − ½ log 2π ]   (ddpm, eq. 1). Nats. A σ of 0 has no density: the caller keeps
    deterministic transitions out.
    """
    x, mean, std = x.float(), mean.float(), std.float()
    return (-((x - mean) ** 2) / (2 * std**2) - std.log() - 0.5 * math.log(2 * math.pi)).sum(-1)


def sample(transition: Gaussian, noise: Float[Tensor, "*m d"]) -> Float[Tensor, "*m d"]:
    """μ + σ·noise, the reparameterised draw."""
    return transition.mean + transition.std * noise
