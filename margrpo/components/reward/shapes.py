"""The exact score of the world `shapes` as a reward."""

from einops import rearrange
from jaxtyping import Float

from margrpo.contracts import OnFailure, Scorer
from margrpo.declare import between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.records import Case, Prompt, Prompts, Traits


@component
class Shapes:
    """Score of the objects that a caption asks for, by segmentation and connected components."""

    weight: float = setting(1.0, "factor in the sum of rewards")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")
    strictness: float = setting(
        0.0, "share of the strict score, 0 or 1, in the reward; the rest is the soft score", check=between(0, 1)
    )

    traits = Traits(low=0.0, high=1.0, reads=("text",))

    def build(self, device: str) -> Scorer:
        """The reward itself, since it has no networks to load."""
        return self

    def cases(self) -> list[Case]:
        """Cases: an image with the required objects, which scores 1, and an empty image."""
        from margrpo.worlds import shapes

        asked = Prompt("a red circle left of a blue square")
        both = (shapes.Placed("circle", "red", 8, 16), shapes.Placed("square", "blue", 24, 16))
        scenes = {"both as asked": (both, 1.0), "nothing where two are asked for": ((), 0.0)}
        pictures = {what: torch.from_numpy(shapes.render(shapes.Scene(seen))) for what, (seen, _) in scenes.items()}
        return [
            Case(what, rearrange(pixels, "h w c -> c h w") / 255, asked, scenes[what][1], scenes[what][1])
            for what, pixels in pictures.items()
        ]

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The score of each image, from 0 to 1."""
        from margrpo.worlds import shapes

        wanted = [shapes.parse(text) for text in prompts.text]
        found = shapes.scores(images.detach().cpu().numpy(), wanted)
        mixed = [self.strictness * one.strict + (1 - self.strictness) * one.soft for one in found]
        return torch.tensor(mixed, dtype=torch.float32, device=images.device)
