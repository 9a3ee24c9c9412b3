"""The objects that the rewards build."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from margrpo.records import Prompts
from margrpo_preference.blip import Blip
from margrpo_preference.pair import Pair
from margrpo_preference.pixels import cropped, normalised

LENGTH = 35
"""Largest number of tokens of a text, as in the training of ImageReward."""
MEAN, STD = 0.16717, 1.03334
"""Mean and std of ImageReward's marks on its training set, which standardise the score."""


class Fitting:
    """A score of how a picture and its text fit: a function of the cosine."""

    def __init__(self, pair: Pair, of_cosine: Callable[[Tensor], Tensor]):
        self.pair, self.of_cosine = pair, of_cosine

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The score of each image."""
        return self.of_cosine(self.pair.cosine(images, prompts)).to(images.device)


class Marking:
    """A score of the picture alone."""

    def __init__(self, pair: Pair, marks: nn.Module):
        self.pair, self.marks = pair, marks.eval().requires_grad_(False)

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The mark of each image."""
        return self.marks(self.pair.pictures(images)).squeeze(-1).to(images.device)


class Reading:
    """A score of a picture and its text, read together."""

    def __init__(self, blip: Blip, tokenizer: Any, *, batch: int):
        self.blip, self.tokenizer, self.batch = blip.eval().requires_grad_(False), tokenizer, batch

    @torch.no_grad()
    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The score of each image."""
        device = next(self.blip.parameters()).device
        tokens = self.tokenizer(
            list(prompts.text), padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
        ).to(device)
        parts = (x.split(self.batch) for x in (images, tokens["input_ids"], tokens["attention_mask"]))
        marks = [
            self.blip(normalised(cropped(some.to(device), self.blip.side)), ids, mask)
            for some, ids, mask in zip(*parts, strict=True)
        ]
        return ((torch.cat(marks) - MEAN) / STD).to(images.device)
