"""The fit of a picture and its text by CLIP, as a reward."""

from margrpo import at_least, component, positive, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.records import Traits
from margrpo.weights import pretrained


@component
class ClipScore:
    """w · max(cos, 0) of CLIP's directions of picture and text   (J. Hessel et al. 2021, arXiv 2104.08718, eq. 1)."""

    checkpoint: str = setting("hf://openai/clip-vit-large-patch14", "the model", check=pretrained.known_place)
    scale: float = setting(2.5, "the largest score w, as in the paper", check=positive)
    batch: int = setting(32, "pictures or texts per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    @property
    def traits(self) -> Traits:
        """Traits: scores from 0 to `scale`, and the 428 million parameters of ViT-L/14."""
        return Traits(low=0.0, high=self.scale, reads=("text",), parameters=427_616_513)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or the model is missing."""
        pretrained.require(self.checkpoint, "reward clip_score", "transformers")

    def build(self, device: str) -> Scorer:
        """Load the model."""
        self.require()
        from margrpo_preference.pair import Pair
        from margrpo_preference.scoring import Fitting

        pair = Pair.of(self.checkpoint, device=device, batch=self.batch)
        return Fitting(pair, lambda cosine: self.scale * cosine.clamp(min=0))
