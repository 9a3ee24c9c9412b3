"""Samplers: the reverse diffusion of the head, from x_t to x_{t-1}."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from margrpo.declare import between, component, not_negative, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import diffusion, flow
from margrpo.maths.path import DIFFUSION, FLOW, Path
from margrpo.records import Gaussian, Prediction


@component
class Ddpm:
    """Ancestral sampling with learned-range variance on the respaced cosine schedule   (ddpm; improved_ddpm)."""

    path: ClassVar[Path] = DIFFUSION

    steps: int = setting(25, "diffusion steps of a token, out of 1000", check=between(2, 1000))
    temperature: float = setting(1.0, "factor on the std of every transition", check=positive)
    score_last: bool = setting(
        False, "whether to train on t = 0 too, with the std of the formula, as in the release of mar_grpo"
    )

    def has_density(self, t: int) -> bool:
        """Whether `t` is above 0, or `score_last` is set."""
        return t > 0 or self.score_last

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
        """√(β_t β̃_t)^½ · temperature: the middle of the learned range, on a log scale."""
        table = diffusion.tables(self.steps)
        if not self.has_density(t):
            return 0.0
        return float((table.beta[t] * np.exp(table.log_posterior_variance[t])) ** 0.25) * self.temperature

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t = `x`."""
        gaussian = diffusion.ddpm_transition(x, prediction, diffusion.tables(self.steps), t)
        return Gaussian(gaussian.mean, gaussian.std * (self.temperature if self.has_density(t) else 0.0))


@component
class Ddim:
    """DDIM with noise: σ_t is η times that of DDPM's posterior   (ddim, eq. 12 and 16)."""

    path: ClassVar[Path] = DIFFUSION

    steps: int = setting(25, "diffusion steps of a token, out of 1000", check=between(2, 1000))
    eta: float = setting(
        1.0, "share of DDPM's noise; 0 makes the sampler deterministic, without a density", check=between(0, 1)
    )
    temperature: float = setting(1.0, "factor on the std of every transition", check=positive)

    def has_density(self, t: int) -> bool:
        """Whether `t` and η are above 0."""
        return t > 0 and self.eta > 0

    def remedy(self) -> str:
        """The setting to change if no transition has a density."""
        return "set sampler.eta above 0"

    def draws_noise(self, t: int) -> bool:
        """Whether transition `t` has a density."""
        return self.has_density(t)

    def time(self, t: int) -> float:
        """The original time of respaced transition t."""
        return float(diffusion.tables(self.steps).time[t])

    def alpha_bar(self, t: int) -> float:
        """The share ᾱ_t of signal."""
        return float(diffusion.tables(self.steps).alpha_bar[t])

    def nominal_std(self, t: int) -> float:
        """The exact std σ_t · temperature."""
        return diffusion.ddim_std(diffusion.tables(self.steps), t, self.eta) * self.temperature

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t = `x`."""
        table = diffusion.tables(self.steps)
        gaussian = diffusion.ddim_transition(x, prediction, table, t, eta=self.eta)
        return Gaussian(gaussian.mean, gaussian.std * self.temperature)


@component
class FlowSde:
    """The straight flow with noise added and its marginals kept, step by step   (flow_grpo, section 4.2)."""

    path: ClassVar[Path] = FLOW

    steps: int = setting(25, "steps of a token between the 1000 levels of training", check=between(2, 1000))
    shift: float = setting(1.0, "shift of the levels; above 1 towards the noise, below 1 away from it", check=positive)
    noise: float = setting(
        0.7, "level a of the noise; 0 makes the sampler deterministic, without a density", check=not_negative
    )

    def has_density(self, t: int) -> bool:
        """Whether the level a is above 0; the last transition has a density too."""
        return self.noise > 0

    def remedy(self) -> str:
        """The setting to change if no transition has a density."""
        return "set sampler.noise above 0"

    def draws_noise(self, t: int) -> bool:
        """Whether transition `t` has a density."""
        return self.has_density(t)

    def time(self, t: int) -> float:
        """The time 1000 σ."""
        return flow.TRAINING_LEVELS * self.level(t)

    def level(self, t: int) -> float:
        """The level σ before transition `t`."""
        return float(flow.levels(self.steps, self.shift)[t + 1])

    def alpha_bar(self, t: int) -> float:
        """(1 − σ)² / ((1 − σ)² + σ²)."""
        return flow.signal_share(self.level(t))

    def nominal_std(self, t: int) -> float:
        """The exact std of transition `t`."""
        return flow.sde_std(flow.levels(self.steps, self.shift), t, self.noise)

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t = `x`."""
        return flow.sde_transition(x, prediction, flow.levels(self.steps, self.shift), t, noise=self.noise)
