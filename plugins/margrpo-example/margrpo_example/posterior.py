"""Ancestral sampling with the smaller of the two fixed variances."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from margrpo import between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.maths import diffusion
from margrpo.maths.path import DIFFUSION, Path
from margrpo.records import Gaussian, Prediction


@component
class Posterior:
    """x_{t−1} ~ N(μ, β̃_t), the variance of the posterior q(x_{t−1} | x_t, x_0) of Ho et al. (2020), section 3.2.

    The head's variance is ignored, so a head that has not learned one serves too.
    """

    path: ClassVar[Path] = DIFFUSION

    steps: int = setting(25, "diffusion steps of a token, out of 1000", check=between(2, 1000))

    def has_density(self, t: int) -> bool:
        """Whether `t` is above 0."""
        return t > 0

    def draws_noise(self, t: int) -> bool:
        """Whether `t` is above 0."""
        return t > 0

    def time(self, t: int) -> float:
        """The original time of respaced transition t."""
        return float(diffusion.tables(self.steps).time[t])

    def alpha_bar(self, t: int) -> float:
        """The share ᾱ_t of signal."""
        return float(diffusion.tables(self.steps).alpha_bar[t])

    def nominal_std(self, t: int) -> float:
        """√β̃_t, exactly what it will be."""
        return float(np.exp(0.5 * diffusion.tables(self.steps).log_posterior_variance[t])) if t > 0 else 0.0

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t−1} given x_t."""
        mean = diffusion.ddpm_transition(x, prediction, diffusion.tables(self.steps), t).mean
        return Gaussian(mean, torch.full_like(mean, self.nominal_std(t)))
