"""The brightness of an image as a reward."""

from jaxtyping import Float

from margrpo.contracts import OnFailure, Scorer
from margrpo.declare import between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.records import Case, Prompt, Prompts, Traits

LUMA = (0.299, 0.587, 0.114)
"""The shares of red, green and blue in luma (ITU-R BT.601, which JPEG uses too)."""


@component
class Brightness:
    """1 − |mean luma − target|: with the target 1, the mean luma itself."""

    target: float = setting(1.0, "mean luma that earns 1, from 0 (black) to 1 (white)", check=between(0, 1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(low=0.0, high=1.0)

    def build(self, device: str) -> Scorer:
        """The reward itself, since it has no networks to load."""
        return self

    def cases(self) -> list[Case]:
        """A black, a grey and a white image."""
        levels = {"black": 0.0, "grey": 0.5, "white": 1.0}
        return [case(what, level, 1 - abs(level - self.target)) for what, level in levels.items()]

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """A number in [0, 1] for each image."""
        luma = torch.tensordot(images.float(), images.new_tensor(LUMA, dtype=torch.float32), dims=([1], [0]))
        return 1 - (luma.mean((1, 2)) - self.target).abs()


def case(what: str, level: float, score: float) -> Case:
    """A case: an image of one grey level and the score that it must get."""
    return Case(what, torch.full((3, 8, 8), level), Prompt("anything"), score - 1e-5, score + 1e-5)
