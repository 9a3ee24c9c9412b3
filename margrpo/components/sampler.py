"""The reverse diffusion of the head: how x_{t-1} follows from x_t."""

from jaxtyping import Float

from margrpo.declare import between, component, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import diffusion
from margrpo.records import Gaussian, Prediction


@component
class Ddpm:
    """Ancestral sampling with learned-range variance on the respaced cosine schedule   (ddpm; improved_ddpm)."""

    steps: int = setting(25, "diffusion steps of a token, out of 1000", check=between(2, 1000))
    temperature: float = setting(1.0, "factor on the std of every transition", check=positive)

    def has_density(self, t: int) -> bool:
        """Every transition but the last, t = 0, draws noise."""
        return t > 0

    def time(self, t: int) -> float:
        """The original time of respaced transition t."""
        return float(diffusion.tables(self.steps).time[t])

    def alpha_bar(self, t: int) -> float:
        """ᾱ_t."""
        return float(diffusion.tables(self.steps).alpha_bar[t])

    def nominal_std(self, t: int) -> float:
        """√(β_t β̃_t)^½ · temperature: the middle of the learned range, on a log scale."""
        table = diffusion.tables(self.steps)
        return float((table.beta[t] * table.posterior_variance[t]) ** 0.25) * self.temperature

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t."""
        gaussian = diffusion.ddpm_transition(x, prediction, diffusion.tables(self.steps), t)
        return Gaussian(gaussian.mean, gaussian.std * self.temperature)


@component
class Ddim:
    """DDIM with noise: σ_t is η times that of DDPM's posterior   (ddim, eq. 12 and 16)."""

    steps: int = setting(25, "diffusion steps of a token, out of 1000", check=between(2, 1000))
    eta: float = setting(1.0, "share of DDPM's noise; 0 is deterministic and has no density", check=between(0, 1))
    temperature: float = setting(1.0, "factor on the std of every transition", check=positive)

    def has_density(self, t: int) -> bool:
        """Every transition but the last, unless η = 0."""
        return t > 0 and self.eta > 0

    def time(self, t: int) -> float:
        """The original time of respaced transition t."""
        return float(diffusion.tables(self.steps).time[t])

    def alpha_bar(self, t: int) -> float:
        """ᾱ_t."""
        return float(diffusion.tables(self.steps).alpha_bar[t])

    def nominal_std(self, t: int) -> float:
        """σ_t · temperature, exactly."""
        return diffusion.ddim_std(diffusion.tables(self.steps), t, self.eta) * self.temperature

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t."""
        table = diffusion.tables(self.steps)
        gaussian = diffusion.ddim_transition(x, prediction, table, t, eta=self.eta)
        return Gaussian(gaussian.mean, gaussian.std * self.temperature)
