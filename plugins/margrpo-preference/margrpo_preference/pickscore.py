"""PickScore as a reward: which of two pictures people pick for a text."""

from margrpo import at_least, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.records import Traits
from margrpo.weights import pretrained


@component
class Pickscore:
    """exp(logit scale) · cos of PickScore, CLIP-H tuned on Pick-a-Pic   (Y. Kirstain et al. 2023, arXiv 2305.01569).

    A difference of 1 between two pictures of one text is odds of e that the better is picked.
    """

    checkpoint: str = setting("hf://yuvalkirstain/PickScore_v1", "the model", check=pretrained.known_place)
    batch: int = setting(16, "pictures or texts per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(reads=("text",), parameters=986_109_441)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or the model is missing."""
        pretrained.require(self.checkpoint, "reward pickscore", "transformers")

    def build(self, device: str) -> Scorer:
        """Load the model."""
        self.require()
        from margrpo_preference.pair import Pair
        from margrpo_preference.scoring import Fitting

        pair = Pair.of(self.checkpoint, device=device, batch=self.batch)
        scale = float(pair.model.logit_scale.detach().exp())
        return Fitting(pair, lambda cosine: scale * cosine)
