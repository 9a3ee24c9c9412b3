"""The probability that a vision-language model answers yes, as a reward."""

from margrpo import Check, at_least, component, one_of, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.records import Traits
from margrpo.weights import pretrained
from margrpo_vqa.question import QUESTION, has_text

has_question = Check(lambda said: not said or QUESTION in said, f"a text with {QUESTION} in it, or empty")


@component
class VlmJudge:
    """The probability that a vision-language model says yes to VQAScore's question about the picture.

    The score is p(yes) / (p(yes) + p(no)) of the first token of the answer; VQAScore is p(yes) alone   (Z. Lin et al.
    2024, arXiv 2404.01291). A prompt's questions are in its metadata as `questions`, and the score is their mean;
    without them `question` is asked. Any model of transformers' AutoModelForImageTextToText serves.
    """

    checkpoint: str = setting("hf://Qwen/Qwen2.5-VL-3B-Instruct", "the model", check=pretrained.known_place)
    question: str = setting(
        'Does this picture show "{text}"? Please answer yes or no.',
        "question for prompts whose metadata has no questions",
        check=has_text,
    )
    template: str = setting(
        "",
        "text around {question}, for a model without a chat template; empty: the model's chat template",
        check=has_question,
    )
    yes: str = setting("yes", "the word of assent")
    no: str = setting("no", "the word of denial")
    dtype: str = setting("float32", "format of the weights", check=one_of("float32", "bfloat16", "float16"))
    batch: int = setting(8, "pairs of picture and question per call of the model", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(low=0.0, high=1.0, reads=("text",), may_read=("metadata",), parameters=3_754_622_976)

    def require(self) -> None:
        """Raise a `MargrpoError` if transformers or the model is missing."""
        pretrained.require(self.checkpoint, "reward vlm_judge", "transformers")

    def build(self, device: str) -> Scorer:
        """Load the model."""
        self.require()
        from margrpo_vqa.asking import Asking
        from margrpo_vqa.vlm import Vlm

        vlm = Vlm(self.checkpoint, (self.yes, self.no), template=self.template, dtype=self.dtype, device=device)
        return Asking(vlm, self, "vlm_judge")
