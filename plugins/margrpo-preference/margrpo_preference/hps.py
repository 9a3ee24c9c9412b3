"""Human Preference Score v2.1 as a reward."""

from margrpo import at_least, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.errors import WeightsError
from margrpo.records import Traits
from margrpo.weights import pretrained
from margrpo.weights.source import SOURCES, digest, fetched, known_form, obstacle, verify


@component
class Hps:
    """cos of HPS v2.1, CLIP-H tuned on people's choices   (X. Wu et al. 2023, arXiv 2306.09341).

    The file is one of open_clip's names, which are read as transformers' CLIPModel. Pictures that are not square get
    black bars.
    """

    checkpoint: str = setting(
        "hf://xswu/HPSv2/HPS_v2.1_compressed.pt", f"the file of weights: {SOURCES}", check=known_form
    )
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    base: str = setting(
        "hf://laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        "the model with an equal configuration and tokenizer",
        check=pretrained.known_place,
    )
    batch: int = setting(16, "pictures or texts per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(low=-1.0, high=1.0, reads=("text",), parameters=986_109_441)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or a file is missing."""
        pretrained.require(self.base, "reward hps", "transformers")
        if trouble := obstacle(self.checkpoint):
            raise WeightsError(f"reward hps: {self.checkpoint} {trouble}")

    def build(self, device: str) -> Scorer:
        """Load the model."""
        self.require()
        from transformers import CLIPTokenizer

        from margrpo_preference.open_clip_names import translated
        from margrpo_preference.pair import Pair, empty
        from margrpo_preference.pixels import padded
        from margrpo_preference.saved import fill, read
        from margrpo_preference.scoring import Fitting

        file = fetched(self.checkpoint)
        verify(file, self.sha256, self.checkpoint)
        tensors = dict(translated(read(file)))
        model = fill(empty(self.base), tensors, file, "is it HPS's file, and `base` CLIP-H?")
        pair = Pair(model, pretrained.loaded(CLIPTokenizer, self.base), device=device, batch=self.batch, fit=padded)
        return Fitting(pair, lambda cosine: cosine)
