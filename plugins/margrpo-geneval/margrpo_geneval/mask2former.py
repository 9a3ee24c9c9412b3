"""Mask2Former as a detector."""

from margrpo import between, component, setting
from margrpo.weights import pretrained
from margrpo_geneval.contracts import Finder


@component
class Mask2former:
    """Masks of COCO's 80 classes   (B. Cheng et al. 2022, arXiv 2112.01527): the detector of GenEval's own evaluation.

    As there an object's score is that of its class by the mean of its mask, and its box is the mask's.
    """

    checkpoint: str = setting(
        "hf://facebook/mask2former-swin-small-coco-instance",
        "the model",
        check=pretrained.known_place,
    )
    least: float = setting(0.05, "score below which an object is left out", check=between(0, 1))

    parameters = 69_000_000
    tells_colours = False

    def require(self) -> None:
        """Raise a `MargrpoError` where transformers or the model is missing."""
        pretrained.require(self.checkpoint, "detector mask2former", "transformers")

    def build(self, device: str) -> Finder:
        """The model, loaded."""
        self.require()
        from margrpo_geneval.photographs.mask2former import Mask2formerSearch
        from margrpo_geneval.photographs.searching import Searching

        return Searching(Mask2formerSearch(self.checkpoint, self.least, device))
