"""The model GIT, which reads the picture's tokens, then [CLS] and the question, and writes the answer."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer, GitForCausalLM

from margrpo.weights.pretrained import loaded
from margrpo_vqa.answer import Answer


class Git:
    """The model with its tokenizer and image processor."""

    def __init__(self, place: str, words: tuple[str, str], device: str):
        self.model = loaded(GitForCausalLM, place).to(device).eval().requires_grad_(False)
        self.tokenizer, self.processor = loaded(AutoTokenizer, place), loaded(AutoImageProcessor, place)
        self.answer = Answer(self.tokenizer, *words, place)

    def length(self, words: str) -> int:
        """The number of tokens of a question."""
        return len(self.tokens(words))

    def yes(self, pictures: Sequence[Image.Image], asked: Sequence[str]) -> Float[Tensor, "m"]:
        """The probability of yes for each picture and its question; all questions have equally many tokens."""
        text = torch.tensor([self.tokens(words) for words in asked])
        pixels = self.processor(images=list(pictures), return_tensors="pt")["pixel_values"]
        device = self.model.device
        logits = self.model(input_ids=text.to(device), pixel_values=pixels.to(device), logits_to_keep=1).logits
        return self.answer.probability(logits[:, -1])

    def tokens(self, words: str) -> list[int]:
        """The tokens of [CLS] and the question, cut at the model's longest input."""
        most = self.model.config.max_position_embeddings - 1
        said: list[int] = self.tokenizer.encode(words, add_special_tokens=False)[: most - 1]
        return [self.tokenizer.cls_token_id, *said]
