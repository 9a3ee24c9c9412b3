"""Meanings of the head's raw output: the noise, or a velocity."""

from typing import ClassVar

from jaxtyping import Float

from margrpo.declare import component
from margrpo.lazy import Tensor
from margrpo.maths.flow import level_of
from margrpo.maths.path import DIFFUSION, FLOW, Path


@component
class Epsilon:
    """The output is the noise ε   (ddpm, section 3.2); the published MAR."""

    path: ClassVar[Path] = DIFFUSION

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"]:
        """The `output`, which is the noise."""
        return output

    def x0(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"] | None:
        """Return None, because the noise determines the clean token."""
        return None

    def target(
        self, x0: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """The `noise`, which the output is trained on."""
        return noise


@component
class Velocity:
    """The output is v = √ᾱ ε − √(1 − ᾱ) x_0   (v_prediction, appendix D): of equal magnitude at every noise level."""

    path: ClassVar[Path] = DIFFUSION

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"]:
        """ε = √ᾱ v + √(1 − ᾱ) x_t."""
        return alpha_bar**0.5 * output + (1 - alpha_bar) ** 0.5 * x

    def x0(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"] | None:
        """Return None, because the noise determines the clean token."""
        return None

    def target(
        self, x0: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """v = √ᾱ ε − √(1 − ᾱ) x_0."""
        return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x0


@component
class Flow:
    """The output is the velocity ε − x_0 of the straight flow x = (1 − σ) x_0 + σ ε   (flow_matching, example II)."""

    path: ClassVar[Path] = FLOW

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"]:
        """ε = x + (1 − σ) v."""
        return x + (1 - level_of(alpha_bar)) * output

    def x0(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: Tensor | float
    ) -> Float[Tensor, "*m d"] | None:
        """x_0 = x − σ v; at σ = 1 the noise is x whatever the output, so that only x_0 carries the output."""
        return x - level_of(alpha_bar) * output

    def target(
        self, x0: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """v = ε − x_0, at every level."""
        return noise - x0
