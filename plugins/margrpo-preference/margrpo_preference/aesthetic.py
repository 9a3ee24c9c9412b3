"""The aesthetic predictor of LAION as a reward."""

from margrpo import at_least, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.errors import WeightsError
from margrpo.records import Traits
from margrpo.weights import pretrained
from margrpo.weights.source import SOURCES, digest, fetched, known_form, obstacle, verify


@component
class Aesthetic:
    """Predicted mean mark of people for a picture, from 1 to 10: LAION's improved predictor on CLIP ViT-L/14.

    Five linear layers on the direction of the picture, from
    https://github.com/christophschuhmann/improved-aesthetic-predictor, where the file lies.
    """

    checkpoint: str = setting(meaning=f"the file sac+logos+ava1-l14-linearMSE.pth: {SOURCES}", check=known_form)
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    base: str = setting(
        "hf://openai/clip-vit-large-patch14",
        "the CLIP model below the predictor",
        check=pretrained.known_place,
    )
    batch: int = setting(32, "pictures per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(parameters=428_000_000)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or a file is missing."""
        pretrained.require(self.base, "reward aesthetic", "transformers")
        if trouble := obstacle(self.checkpoint):
            raise WeightsError(f"reward aesthetic: {self.checkpoint} {trouble}")

    def build(self, device: str) -> Scorer:
        """Load CLIP and the predictor."""
        self.require()
        from margrpo_preference.five_layers import five_layers, renumbered
        from margrpo_preference.pair import Pair
        from margrpo_preference.saved import fill, read
        from margrpo_preference.scoring import Marking

        file = fetched(self.checkpoint)
        verify(file, self.sha256, self.checkpoint)
        pair = Pair.of(self.base, device=device, batch=self.batch)
        layers, tensors = five_layers(pair.model.config.projection_dim), renumbered(read(file), "layers.", "")
        return Marking(pair, fill(layers, tensors, file, "is it the predictor's, and `base` CLIP ViT-L/14?").to(device))
