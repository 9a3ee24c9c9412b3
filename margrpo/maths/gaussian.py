"""The density of one reverse transition."""

import math

from jaxtyping import Float

from margrpo.lazy import Tensor
from margrpo.records import Gaussian


def log_density(
    x: Float[Tensor, "*m d"], mean: Float[Tensor, "*m d"], std: Float[Tensor, "*m d"], *, floor: float = 0.0
) -> Float[Tensor, "*m"]:
    """The log-density of N(mean, std²) at x, summed over channels, in float32.

    ℓ = Σ_d [ −(x − μ)² / 2σ² − log σ − ½ log 2π ]   (ddpm, eq. 1). Nats. A σ of 0 has no density: the caller keeps
    deterministic transitions out. A `floor` above 0 is the least σ² of the square and the least σ of the logarithm, as
    in the release of mar_grpo; where it acts the result is not a log-density.
    """
    x, mean, std = x.float(), mean.float(), std.float()
    square, logarithm = (std**2).clamp(min=floor), std.clamp(min=floor).log()
    return (-((x - mean) ** 2) / (2 * square) - logarithm - 0.5 * math.log(2 * math.pi)).sum(-1)


def sample(transition: Gaussian, noise: Float[Tensor, "*m d"]) -> Float[Tensor, "*m d"]:
    """μ + σ·noise, the reparameterised draw."""
    return transition.mean + transition.std * noise
