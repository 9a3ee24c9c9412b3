"""The straight flow between a clean token and noise, and the stochastic steps that take it backwards."""

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from margrpo.lazy import Tensor, torch
from margrpo.records import Gaussian, Prediction

TRAINING_LEVELS = 1000
Levels = TypeVar("Levels", float, np.ndarray)
Share = TypeVar("Share", float, Tensor)


def shifted(level: Levels, shift: float) -> Levels:
    """σ ↦ a σ / (1 + (a − 1) σ): 0 and 1 stay, a shift a above 1 moves levels towards the noise   (sd3, eq. 23)."""
    return shift * level / (1 + (shift - 1) * level)


@lru_cache
def levels(steps: int, shift: float) -> np.ndarray:
    """The noise levels 0 = σ_0 < … < σ_T = 1, float64; transition t goes from σ_{t+1} to σ_t.

    The T positive ones are evenly spaced between 1 and the shifted 1/1000 and then shifted, so that the shift counts
    twice for the smallest: the published schedulers of flow matching do so, and so do the weights trained with them.
    """
    even = np.linspace(1, shifted(1 / TRAINING_LEVELS, shift), steps)[1:]
    return np.concatenate([[0.0], shifted(even, shift)[::-1], [1.0]])


def signal_share(level: Share) -> Share:
    """ᾱ = (1 − σ)² / ((1 − σ)² + σ²): the signal's share of the variance of x for tokens of variance 1."""
    return (1 - level) ** 2 / ((1 - level) ** 2 + level**2)


def level_of(alpha_bar: float | Tensor) -> float | Tensor:
    """σ = √(1 − ᾱ) / (√ᾱ + √(1 − ᾱ)), the inverse of `signal_share`."""
    return (1 - alpha_bar) ** 0.5 / (alpha_bar**0.5 + (1 - alpha_bar) ** 0.5)


def noised(
    clean: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
) -> Float[Tensor, "*m d"]:
    """x = (1 − σ) x_0 + σ ε   (flow_matching, example II)."""
    level = level_of(alpha_bar)
    return (1 - level) * clean + level * noise


def diffusion_coefficient(level: float, highest: float, noise: float) -> float:
    """s = a √(σ / (1 − σ)); where σ = 1, the next lower level stands for it in 1 − σ   (flow_grpo, section 4.2)."""
    return noise * math.sqrt(level / (1 - (highest if level == 1 else level)))


def sde_std(level: np.ndarray, t: int, noise: float) -> float:
    """s √(σ_{t+1} − σ_t), the std of transition t."""
    before, after = float(level[t + 1]), float(level[t])
    return diffusion_coefficient(before, float(level[-2]), noise) * math.sqrt(before - after)


def sde_transition(
    x: Float[Tensor, "*m d"], prediction: Prediction, level: np.ndarray, t: int, *, noise: float
) -> Gaussian:
    """One Euler–Maruyama step of the SDE that has the flow's marginals; with a = 0 the flow's own Euler step.

    μ = x + (v + s²/(2σ) ε) (σ_t − σ_{t+1}) with v = ε − x_0 and ε = x + (1 − σ) v   (flow_grpo, section 4.2)
    """
    if prediction.x0 is None:
        raise TypeError("the flow needs the clean token beside the noise; use a parameterization that predicts both")
    before, after = float(level[t + 1]), float(level[t])
    share = diffusion_coefficient(before, float(level[-2]), noise) ** 2 / (2 * before)
    drift = prediction.epsilon - prediction.x0 + share * prediction.epsilon
    mean = x + (after - before) * drift
    return Gaussian(mean, torch.full_like(mean, sde_std(level, t, noise)))
