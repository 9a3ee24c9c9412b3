"""The object that both rewards build."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from margrpo import record
from margrpo.pictures.grid import picture
from margrpo.records import Prompts
from margrpo_vqa.question import Question, questions


@runtime_checkable
class Answering(Protocol):
    """A model that answers questions about pictures with yes or no."""

    def length(self, words: str) -> int:
        """The number of tokens of a question."""
        ...

    def yes(self, pictures: Sequence[Image.Image], asked: Sequence[str]) -> Float[Tensor, "m"]:
        """The probability of yes for each picture and its question; all questions have equally many tokens."""
        ...


@record
class Pair:
    """A picture's number and a question about it."""

    picture: int
    question: Question


class Asking:
    """A scorer that asks all questions of each picture and returns the mean over a picture's questions.

    Questions of equal length are batched, a few at a time. Batches then need no padding, which models do in different
    ways, and a score does not depend on other questions.
    """

    def __init__(self, model: Answering, settings: Any, reward: str):
        self.model, self.settings, self.reward = model, settings, reward

    @torch.no_grad()
    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The mean probability of the right answer."""
        pictures = [picture(image, 1) for image in images]
        right: list[list[float]] = [[] for _ in pictures]
        for pairs in self.batches(prompts):
            asked = [pair.question.words for pair in pairs]
            yes = self.model.yes([pictures[pair.picture] for pair in pairs], asked).tolist()
            for pair, p in zip(pairs, yes, strict=True):
                right[pair.picture].append(p if pair.question.yes_is_right else 1 - p)
        return torch.tensor([fmean(each) for each in right], device=images.device)

    def batches(self, prompts: Prompts) -> Iterator[list[Pair]]:
        """All pairs, in batches of questions of equal length."""
        lengths: dict[int, list[Pair]] = defaultdict(list)
        for place, (text, metadata) in enumerate(zip(prompts.text, prompts.metadata, strict=True)):
            for each in questions(text, metadata, self.settings.question, self.reward):
                lengths[self.model.length(each.words)].append(Pair(place, each))
        for pairs in lengths.values():
            yield from (pairs[i : i + self.settings.batch] for i in range(0, len(pairs), self.settings.batch))
