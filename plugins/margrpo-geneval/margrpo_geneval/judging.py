"""The scorer of GenEval's rules."""

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo import record
from margrpo.records import Prompts
from margrpo_geneval.contracts import Detection, Finder, Namer
from margrpo_geneval.metadata import COUNTING, Asked, asked
from margrpo_geneval.rules import Holds, Score, kept, score


@record
class Thresholds:
    """Numbers of GenEval's rules, as the settings of the reward have them."""

    strictness: float
    threshold: float
    counting_threshold: float
    most: int
    overlap: float
    batch: int


class Judging:
    """The scorer: a detector, a colour classifier and a relation, with the numbers of the rules."""

    def __init__(self, settings: Thresholds, finder: Finder, namer: Namer, holds: Holds):
        self.settings, self.finder, self.namer, self.holds = settings, finder, namer, holds

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The score of each image, in [0, 1]."""
        share = self.settings.strictness
        scores = [share * one.strict + (1 - share) * one.soft for one in self.scores(images, prompts)]
        return torch.tensor(scores, dtype=torch.float32, device=images.device)

    def scores(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> list[Score]:
        """The strict and the soft score of each image."""
        wanted = [asked(metadata, text) for metadata, text in zip(prompts.metadata, prompts.text, strict=True)]
        found: list[list[Detection]] = []
        for start in range(0, len(images), self.settings.batch):
            some = slice(start, start + self.settings.batch)
            found += self.finder.find(images[some], [each.names for each in wanted[some]])
        return [self.judged(*each) for each in zip(images, found, wanted, strict=True)]

    def judged(self, image: Float[Tensor, "3 h w"], found: list[Detection], wanted: Asked) -> Score:
        """The score of one image."""
        settings = self.settings
        threshold = settings.counting_threshold if wanted.tag == COUNTING else settings.threshold
        objects = kept(found, threshold=threshold, most=settings.most, overlap=settings.overlap)
        return score(objects, wanted, lambda group: self.namer.colours(image, group), self.holds)
