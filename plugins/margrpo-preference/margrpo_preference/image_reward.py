"""The model ImageReward as a reward."""

from margrpo import at_least, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.errors import WeightsError
from margrpo.records import Traits
from margrpo.weights import pretrained
from margrpo.weights.source import SOURCES, digest, fetched, known_form, obstacle, verify


@component
class ImageReward:
    """Predicted liking of a picture for its text, in standard deviations from the mean of ImageReward's data.

    BLIP-L with five layers, (r − 0.16717) / 1.03334   (J. Xu et al. 2023, arXiv 2304.05977).
    """

    checkpoint: str = setting("hf://zai-org/ImageReward/ImageReward.pt", f"the file: {SOURCES}", check=known_form)
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    tokenizer: str = setting(
        "hf://google-bert/bert-base-uncased",
        "the model with an equal tokenizer",
        check=pretrained.known_place,
    )
    batch: int = setting(16, "pairs of picture and text per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(reads=("text",), parameters=446_000_000)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or a file is missing."""
        pretrained.require(self.tokenizer, "reward image_reward", "transformers")
        if trouble := obstacle(self.checkpoint):
            raise WeightsError(f"reward image_reward: {self.checkpoint} {trouble}")

    def build(self, device: str) -> Scorer:
        """Load the network."""
        self.require()
        from transformers import BertTokenizer

        from margrpo_preference.blip import empty, translated
        from margrpo_preference.saved import fill, read
        from margrpo_preference.scoring import Reading

        file = fetched(self.checkpoint)
        verify(file, self.sha256, self.checkpoint)
        tensors, doubt = translated(read(file)), "is it ImageReward.pt?"
        try:
            blip = fill(empty(tensors), tensors, file, doubt)
        except KeyError as error:
            raise WeightsError(f"{file}: lacks {error.args[0]}; {doubt}") from None
        tokenizer = pretrained.loaded(BertTokenizer, self.tokenizer)
        return Reading(blip.to(device), tokenizer, batch=self.batch)
