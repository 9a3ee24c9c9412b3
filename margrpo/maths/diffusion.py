"""The variance-preserving diffusion of MAR: cosine schedule, respacing, and the reverse transitions."""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from margrpo.declare import record
from margrpo.lazy import Tensor, torch
from margrpo.records import Gaussian, Prediction

TRAINING_STEPS = 1000


@record
class Tables:
    """The coefficients of T respaced transitions, float64, index t; `time` is the original time of each."""

    time: np.ndarray
    beta: np.ndarray
    alpha_bar: np.ndarray
    alpha_bar_next: np.ndarray

    @property
    def posterior_variance(self) -> np.ndarray:
        """β̃_t = β_t (1 − ᾱ_{t−1}) / (1 − ᾱ_t)   (ddpm, eq. 7); 0 at t = 0."""
        return self.beta * (1 - self.alpha_bar_next) / (1 - self.alpha_bar)

    @property
    def log_posterior_variance(self) -> np.ndarray:
        """log β̃_t with the value of t = 1 at t = 0, where it would be −∞   (improved_ddpm, section 3.1)."""
        variance = self.posterior_variance
        return np.log(np.append(variance[1], variance[1:]) if len(variance) > 1 else self.beta)


def cosine_alpha_bar(u: float) -> float:
    """ᾱ(u) = cos²(π/2 · (u + 0.008) / 1.008) for u in [0, 1]   (improved_ddpm, eq. 17)."""
    return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2


@lru_cache
def cosine_betas(steps: int = TRAINING_STEPS) -> np.ndarray:
    """β_t = min(1 − ᾱ(t+1)/ᾱ(t), 0.999) of the cosine schedule   (improved_ddpm, section 3.2)."""
    ratio = [cosine_alpha_bar((t + 1) / steps) / cosine_alpha_bar(t / steps) for t in range(steps)]
    return np.minimum(1 - np.array(ratio), 0.999)


@lru_cache
def respaced_times(steps: int, training_steps: int = TRAINING_STEPS) -> np.ndarray:
    """`steps` times from 0 to training_steps − 1, evenly spaced and rounded   (improved_ddpm, section 4)."""
    if steps == 1:
        return np.array([0])
    stride = (training_steps - 1) / (steps - 1)
    times, place = [], 0.0
    for _ in range(steps):
        times.append(round(place))
        place += stride
    return np.array(times)


@lru_cache
def tables(steps: int) -> Tables:
    """The cosine schedule of 1000 steps, respaced to `steps`; ᾱ is kept, β is derived   (improved_ddpm, eq. 19)."""
    time = respaced_times(steps)
    alpha_bar = np.cumprod(1 - cosine_betas())[time]
    alpha_bar_next = np.append(1.0, alpha_bar[:-1])
    return Tables(time=time, beta=1 - alpha_bar / alpha_bar_next, alpha_bar=alpha_bar, alpha_bar_next=alpha_bar_next)


def predicted_clean(
    x: Float[Tensor, "*m d"], epsilon: Float[Tensor, "*m d"], alpha_bar: float
) -> Float[Tensor, "*m d"]:
    """x̂_0 = (x_t − √(1 − ᾱ_t) ε) / √ᾱ_t   (ddpm, eq. 15)."""
    return math.sqrt(1 / alpha_bar) * x - math.sqrt(1 / alpha_bar - 1) * epsilon


def ddpm_transition(x: Float[Tensor, "*m d"], prediction: Prediction, table: Tables, t: int) -> Gaussian:
    """The ancestral transition with learned-range variance.

    μ = √ᾱ_{t−1} β_t/(1−ᾱ_t) x̂_0 + √α_t (1−ᾱ_{t−1})/(1−ᾱ_t) x_t   (ddpm, eq. 7)
    log σ² = v log β_t + (1 − v) log β̃_t, v = (output + 1)/2   (improved_ddpm, eq. 15). At t = 0 no noise is drawn; σ is
    then what the formula gives with β̃_1 for β̃_0.
    """
    beta, alpha_bar, after = float(table.beta[t]), float(table.alpha_bar[t]), float(table.alpha_bar_next[t])
    clean = predicted_clean(x, prediction.epsilon, alpha_bar)
    mean = math.sqrt(after) * beta / (1 - alpha_bar) * clean
    mean = mean + math.sqrt(1 - beta) * (1 - after) / (1 - alpha_bar) * x
    share = (prediction.variance + 1) / 2
    log_variance = share * math.log(beta) + (1 - share) * float(table.log_posterior_variance[t])
    return Gaussian(mean, (0.5 * log_variance).exp())


def ddim_std(table: Tables, t: int, eta: float) -> float:
    """σ_t = η √((1 − ᾱ_{t−1})/(1 − ᾱ_t)) √(1 − ᾱ_t/ᾱ_{t−1})   (ddim, eq. 16)."""
    alpha_bar, after = float(table.alpha_bar[t]), float(table.alpha_bar_next[t])
    return eta * math.sqrt((1 - after) / (1 - alpha_bar)) * math.sqrt(1 - alpha_bar / after)


def ddim_transition(x: Float[Tensor, "*m d"], prediction: Prediction, table: Tables, t: int, *, eta: float) -> Gaussian:
    """x_{t−1} ~ N(√ᾱ_{t−1} x̂_0 + √(1 − ᾱ_{t−1} − σ_t²) ε, σ_t²)   (ddim, eq. 12); the learned variance is not used."""
    after, std = float(table.alpha_bar_next[t]), ddim_std(table, t, eta)
    clean = predicted_clean(x, prediction.epsilon, float(table.alpha_bar[t]))
    mean = math.sqrt(after) * clean + math.sqrt(max(1 - after - std**2, 0.0)) * prediction.epsilon
    return Gaussian(mean, torch.full_like(mean, std))


def noised(
    clean: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
) -> Float[Tensor, "*m d"]:
    """x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε   (ddpm, eq. 4)."""
    return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise


def guided(conditional: Prediction, unconditional: Prediction, scale: Float[Tensor, "*m 1"] | float) -> Prediction:
    """ε = ε_∅ + w (ε_z − ε_∅), x̂_0 likewise where given; the variance is the conditional branch's   (cfg, eq. 6)."""
    epsilon = unconditional.epsilon + scale * (conditional.epsilon - unconditional.epsilon)
    if conditional.x0 is None or unconditional.x0 is None:
        return Prediction(epsilon, conditional.variance)
    x0 = unconditional.x0 + scale * (conditional.x0 - unconditional.x0)
    return Prediction(epsilon, conditional.variance, x0)
