"""What the head's raw output means: the noise, or the velocity."""

from jaxtyping import Float

from margrpo.declare import component
from margrpo.lazy import Tensor


@component
class Epsilon:
    """The output is the noise ε   (ddpm, section 3.2); the published MAR."""

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"]:
        """The output itself."""
        return output

    def target(
        self, clean: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """The noise itself."""
        return noise


@component
class Velocity:
    """The output is v = √ᾱ ε − √(1 − ᾱ) x_0   (v_prediction, appendix D): of even size at every noise level."""

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"]:
        """ε = √ᾱ v + √(1 − ᾱ) x_t."""
        return alpha_bar**0.5 * output + (1 - alpha_bar) ** 0.5 * x

    def target(
        self, clean: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """v = √ᾱ ε − √(1 − ᾱ) x_0."""
        return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * clean
