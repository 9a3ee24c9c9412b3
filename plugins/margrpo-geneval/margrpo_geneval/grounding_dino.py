"""Grounding DINO as a detector."""

from margrpo import between, component, setting
from margrpo.weights import pretrained
from margrpo_geneval.contracts import Finder


@component
class GroundingDino:
    """Boxes of whatever is named   (S. Liu et al. 2023, arXiv 2303.05499).

    A name's score is that of its likeliest word, and each box is of the name with the largest. Boxes overlap: give the
    reward `overlap`, and a `threshold` for these scores.
    """

    checkpoint: str = setting("hf://IDEA-Research/grounding-dino-base", "the model", check=pretrained.known_place)
    least: float = setting(0.1, "score below which a box is left out", check=between(0, 1))

    parameters = 233_000_000
    tells_colours = False

    def require(self) -> None:
        """Raise a `MargrpoError` where transformers or the model is missing."""
        pretrained.require(self.checkpoint, "detector grounding_dino", "transformers")

    def build(self, device: str) -> Finder:
        """The model, loaded."""
        self.require()
        from margrpo_geneval.photographs.grounding_dino import GroundingDinoSearch
        from margrpo_geneval.photographs.searching import Searching

        return Searching(GroundingDinoSearch(self.checkpoint, self.least, device))
