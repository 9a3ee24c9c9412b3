"""The pre-training loss of the head."""

import math

import numpy as np
from jaxtyping import Float, Int

from margrpo.lazy import Tensor, torch
from margrpo.maths.diffusion import Tables


def column(values: np.ndarray, t: Int[Tensor, "m"]) -> Float[Tensor, "m 1"]:
    """The entries of a table at each t, in float32."""
    return torch.as_tensor(values, dtype=torch.float32, device=t.device)[t][:, None]


def variance_bound(
    clean: Float[Tensor, "m d"],
    x: Float[Tensor, "m d"],
    epsilon: Float[Tensor, "m d"],
    variance: Float[Tensor, "m d"],
    *,
    table: Tables,
    t: Int[Tensor, "m"],
) -> Float[Tensor, "m"]:
    """The bound L_t that trains the learned range of σ, with the mean held fixed, in nats per channel.

    KL( q(x_{t−1} | x_t, x_0) ‖ p ) for t > 0 and −log p(x_0 | x_1) at t = 0, where p is the continuous Gaussian rather
    than the discretised one, since tokens are not pixels   (improved_ddpm, eq. 3 and section 3.1).
    """
    # Coefficients are float64 up to here: in float32, 1 − ᾱ has lost three digits at the first times.
    inverse, ratio = column(table.alpha_bar**-0.5, t), column((1 / table.alpha_bar - 1) ** 0.5, t)
    predicted = inverse * x - ratio * epsilon.detach()
    share, low = (variance + 1) / 2, column(table.log_posterior_variance, t)
    log_variance = share * column(np.log(table.beta), t) + (1 - share) * low
    pull = column(table.alpha_bar_next**0.5 * table.beta / (1 - table.alpha_bar), t)
    error = pull * (clean - predicted)
    kl = 0.5 * (log_variance - low + (low - log_variance).exp() + error**2 * (-log_variance).exp() - 1)
    nll = 0.5 * (math.log(2 * math.pi) + log_variance + (clean - predicted) ** 2 * (-log_variance).exp())
    return torch.where(t[:, None] == 0, nll, kl).mean(-1)
