"""CLIP as a colour classifier."""

from margrpo import at_least, component, setting
from margrpo.weights import pretrained
from margrpo_geneval.contracts import Namer


@component
class Clip:
    """The colour of an object by CLIP, one of GenEval's ten, as in its evaluation   (Ghosh et al. 2023, section 3).

    An object is cut out by its box, grey around its mask where it has one, and compared with "a photo of a red car", "a
    photo of a red-colored car" and "a photo of a red object".
    """

    checkpoint: str = setting("hf://openai/clip-vit-large-patch14", "the model", check=pretrained.known_place)
    batch: int = setting(32, "objects that the model sees at once", check=at_least(1))

    parameters = 428_000_000

    def require(self) -> None:
        """Raise a `MargrpoError` where transformers or the model is missing."""
        pretrained.require(self.checkpoint, "colour_classifier clip", "transformers")

    def build(self, device: str) -> Namer:
        """The model, loaded."""
        self.require()
        from margrpo_geneval.photographs.clip import ClipNamer

        return ClipNamer(self.checkpoint, self.batch, device)
