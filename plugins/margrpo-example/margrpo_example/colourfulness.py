"""The colourfulness of an image as a reward."""

from jaxtyping import Float

from margrpo import component, positive, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.lazy import Tensor
from margrpo.records import Prompts, Traits


@component
class Colourfulness:
    """M = √(σ_rg² + σ_yb²) + 0.3 √(μ_rg² + μ_yb²) of Hasler and Süsstrunk (2003), with rg = R − G, yb = (R + G)/2 − B.

    On their scale 0 is grey, 33 moderately, 59 quite and 109 extremely colourful.
    """

    weight: float = setting(1.0, "factor of this reward in the sum, per point of the scale")
    enough: float | None = setting(
        None, "points above which more colour does not earn more; default: no limit", check=positive
    )
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(low=0.0)

    def build(self, device: str) -> Scorer:
        """The reward itself, since it has no networks to load."""
        return self

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The colourfulness of each image, in points."""
        red, green, blue = (images.float() * 255).flatten(2).unbind(1)
        rg, yb = red - green, (red + green) / 2 - blue
        spread = (rg.var(1, unbiased=False) + yb.var(1, unbiased=False)).sqrt()
        points = spread + 0.3 * (rg.mean(1) ** 2 + yb.mean(1) ** 2).sqrt()
        return points if self.enough is None else points.clamp(max=self.enough)
