"""Weights of the trained transitions, of mean 1, known before any noise is drawn.

The gradient of a log-density scales as 1/σ_t², so the last, least noisy transitions dominate it. With a weight that is
a function of t alone, each term is still a policy gradient of its transition. Only with `density` is the sum of the
terms the gradient of the log-probability of the chain.
"""

from jaxtyping import Float

from margrpo.declare import component
from margrpo.lazy import Tensor, torch


@component
class Density:
    """Equal weights w_t = 1, as in the paper: the plain log-density."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """The weight 1 for each transition."""
        return torch.ones_like(std)


@component
class Std:
    """Weights w_t in proportion to σ_t."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """σ_t over its mean."""
        return std / std.mean()


@component
class Variance:
    """Weights w_t in proportion to σ_t²: the gradient of a squared error of means, equal over transitions."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """σ_t² over its mean."""
        return std**2 / (std**2).mean()
