"""The probability that GIT answers yes, as a reward."""

from margrpo import at_least, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.records import Traits
from margrpo.weights import pretrained
from margrpo_vqa.question import has_text


@component
class GitVqa:
    """The probability that GIT says yes to a question about the picture   (J. Wang et al. 2022, arXiv 2205.14100).

    The probability is p(yes) / (p(yes) + p(no)) of the first word of the answer. A prompt's questions are in its
    metadata as `questions`, and the score is their mean; without them `question` is asked. The VQA reward of T2I-R1
    (arXiv 2505.00703) works alike.
    """

    checkpoint: str = setting("hf://microsoft/git-large-vqav2", "the model", check=pretrained.known_place)
    question: str = setting(
        "does this picture show {text}?", "question for prompts whose metadata has no questions", check=has_text
    )
    yes: str = setting("yes", "the word of assent")
    no: str = setting("no", "the word of denial")
    batch: int = setting(16, "pairs of picture and question per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(low=0.0, high=1.0, reads=("text",), may_read=("metadata",), parameters=394_000_000)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or the model is missing."""
        pretrained.require(self.checkpoint, "reward git_vqa", "transformers")

    def build(self, device: str) -> Scorer:
        """Load the model."""
        self.require()
        from margrpo_vqa.asking import Asking
        from margrpo_vqa.git import Git

        return Asking(Git(self.checkpoint, (self.yes, self.no), device), self, "git_vqa")
