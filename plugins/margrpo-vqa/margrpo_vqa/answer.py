"""Yes or no, read from the logits of the first token of an answer."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.errors import WeightsError


class Answer:
    """The tokens with which yes and no begin in a model's vocabulary, however they are spelled."""

    def __init__(self, tokenizer: Any, yes: str, no: str, place: str):
        self.yes, self.no = sorted(beginnings(tokenizer, yes)), sorted(beginnings(tokenizer, no))
        for word, tokens in ((yes, self.yes), (no, self.no)):
            if not tokens:
                raise WeightsError(f"{place}: its tokenizer cannot write {word!r}; give another word")
        if set(self.yes) & set(self.no):
            raise WeightsError(f"{place}: its tokenizer begins {yes!r} and {no!r} alike; give other words")

    def probability(self, logits: Float[Tensor, "m v"]) -> Float[Tensor, "m"]:
        """p(yes) / (p(yes) + p(no)) of each answer, summed over their spellings; in float32."""
        yes, no = (logits[:, tokens].float().logsumexp(-1) for tokens in (self.yes, self.no))
        return torch.sigmoid(yes - no)


def beginnings(tokenizer: Any, word: str) -> set[int]:
    """The first token of each way to write a word: small, capitalised, and after a space."""
    spelled = {space + form for space in ("", " ") for form in (word, word.capitalize())}
    firsts = {tuple(tokenizer.encode(each, add_special_tokens=False))[:1] for each in spelled}
    return {
        token
        for first in firsts
        for token in first
        if token != tokenizer.unk_token_id and tokenizer.decode([token]).strip()
    }
