"""How much each trained transition counts; always of mean 1 over the trained ones, known before any noise is drawn.

The gradient of a log-density scales as 1/σ_t², so the last, least noisy transitions own it. A weight that is a function
of t alone keeps each term a policy gradient of its transition; only with `density` is their sum the gradient of the
log-probability of the chain.
"""

from jaxtyping import Float

from margrpo.declare import component
from margrpo.lazy import Tensor, torch


@component
class Density:
    """Every log-density as it is: w_t = 1, the paper's."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """1 for each transition."""
        return torch.ones_like(std)


@component
class Std:
    """w_t in proportion to σ_t."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """σ_t over its mean."""
        return std / std.mean()


@component
class Variance:
    """w_t in proportion to σ_t²: the gradient of a squared error between means, even over transitions."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """σ_t² over its mean."""
        return std**2 / (std**2).mean()
