"""Signal and noise of a gradient, from the moments of gradients of independent prompts."""

from jaxtyping import Float

from margrpo.declare import record
from margrpo.lazy import Tensor


@record
class Moments:
    """The sum of G independent gradients g_i, and the sum of their squared norms."""

    total: Float[Tensor, "p"]
    squares: float
    count: int

    @classmethod
    def none(cls, like: Float[Tensor, "p"]) -> "Moments":
        """The moments of zero gradients, each of the shape of `like`."""
        return cls(like.double() * 0, 0.0, 0)

    def __add__(self, gradient: Float[Tensor, "p"]) -> "Moments":
        exact = gradient.double()
        return Moments(self.total + exact, self.squares + float(exact.square().sum()), self.count + 1)

    def joined(self, other: "Moments") -> "Moments":
        """The moments of the gradients of `self` and `other` together."""
        return Moments(self.total + other.total, self.squares + other.squares, self.count + other.count)

    @property
    def noise(self) -> float:
        """tr Cov(ḡ) of the mean ḡ of all G: (Σ|g_i|² − G|ḡ|²) / (G(G − 1)), unbiased; NaN if G < 2."""
        if self.count < 2:
            return float("nan")
        return (self.squares - float(self.total.square().sum()) / self.count) / (self.count * (self.count - 1))

    @property
    def signal(self) -> float:
        """|E g|² as |ḡ|² − tr Cov(ḡ), unbiased, so that it may fall below 0 by chance   (noise_scale, appendix A.1)."""
        return float((self.total / self.count).square().sum()) - self.noise

    @property
    def ratio(self) -> float:
        """|E g|² / tr Cov(ḡ): the squared length of the true gradient by the noise in the update.

        0 if every gradient is zero, infinite if all are equal otherwise, NaN if G < 2.
        """
        if self.count >= 2 and self.noise == 0:
            return float("inf") if self.squares else 0.0
        return self.signal / self.noise
