"""A vision-language model of transformers that answers with one token."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from margrpo.errors import WeightsError
from margrpo.weights.pretrained import loaded
from margrpo_vqa.answer import Answer
from margrpo_vqa.question import QUESTION


class Vlm:
    """The model with its processor."""

    def __init__(self, place: str, words: tuple[str, str], *, template: str, dtype: str, device: str):
        self.processor = loaded(AutoProcessor, place)
        self.tokenizer = self.processor.tokenizer
        self.template, self.chat = template, getattr(self.processor, "chat_template", None)
        if not self.template and not self.chat:
            raise WeightsError(
                f"{place}: has no chat template; give `template`, as "
                f'"USER: <image>\\n{QUESTION} ASSISTANT:" for the first LLaVA'
            )
        self.answer = Answer(self.tokenizer, *words, place)
        self.model = loaded(AutoModelForImageTextToText, place, dtype=dtype).to(device).eval()
        self.model.requires_grad_(False)

    def length(self, words: str) -> int:
        """The number of tokens of a question, without the picture's tokens."""
        return len(self.tokenizer(self.text(words), add_special_tokens=False)["input_ids"])

    def yes(self, pictures: Sequence[Image.Image], asked: Sequence[str]) -> Float[Tensor, "m"]:
        """The probability of yes for each picture and its question; all questions have equally many tokens."""
        texts = [self.text(words) for words in asked]
        begun = bool(self.tokenizer.bos_token) and texts[0].startswith(self.tokenizer.bos_token)
        inputs = self.processor(
            text=texts,
            images=[[picture] for picture in pictures],
            return_tensors="pt",
            add_special_tokens=not begun,
        )
        said = self.model.generate(
            **inputs.to(self.model.device, self.model.dtype),
            max_new_tokens=1,
            do_sample=False,
            num_beams=1,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=self.tokenizer.eos_token_id,  # nothing is filled up, and without one each call says so
        )
        return self.answer.probability(said.logits[0])

    def text(self, words: str) -> str:
        """The question in the model's template."""
        if self.template:
            return self.template.replace(QUESTION, words)
        turn: dict[str, Any] = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": words}]}
        text: str = self.processor.apply_chat_template([turn], add_generation_prompt=True)
        return text
