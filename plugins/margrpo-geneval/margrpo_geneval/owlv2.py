"""OWLv2 as a detector."""

from margrpo import Check, between, component, setting
from margrpo.weights import pretrained
from margrpo_geneval.contracts import Finder

has_name = Check(lambda said: "{name}" in said, "a text with {name} in it")


@component
class Owlv2:
    """Boxes of whatever is named   (M. Minderer, A. Gritsenko and N. Houlsby 2023, arXiv 2306.09683).

    Each box is of the name that it is likeliest to be. Its scores are lower than those of Mask2Former, for which the
    published thresholds were chosen, and boxes overlap: give the reward a lower `threshold`, and `overlap`.
    """

    checkpoint: str = setting("hf://google/owlv2-base-patch16-ensemble", "the model", check=pretrained.known_place)
    query: str = setting("a photo of a {name}", "text that is searched for, with {name} for the class", check=has_name)
    least: float = setting(0.05, "score below which a box is left out", check=between(0, 1))

    parameters = 155_000_000
    tells_colours = False

    def require(self) -> None:
        """Raise a `MargrpoError` where transformers or the model is missing."""
        pretrained.require(self.checkpoint, "detector owlv2", "transformers")

    def build(self, device: str) -> Finder:
        """The model, loaded."""
        self.require()
        from margrpo_geneval.photographs.owlv2 import Owlv2Search
        from margrpo_geneval.photographs.searching import Searching

        return Searching(Owlv2Search(self.checkpoint, self.query, least=self.least, device=device))
