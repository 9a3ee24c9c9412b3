"""Batches of images at AR steps that share a pass of the backbone.

An image at an AR step is the unit of the backbone's work. Images at different AR steps share a pass, although they
differ in their number of known tokens. Images without loss are left out.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from margrpo.contracts import Model
from margrpo.declare import record
from margrpo.records import Rollout
from margrpo.train.rollout.condition import Condition, PromptPrefix, conditions
from margrpo.train.update.budget import Budget


@record
class ImageStep:
    """An image at an AR step.

    - `step`: place of the AR step among the kept AR steps.
    - `image`: place of the image in the rollout.
    - `known`: number of tokens that the backbone takes as known.
    - `scale`: guidance scale of the replay.
    """

    step: int
    image: int
    known: int
    scale: float

    @property
    def halves(self) -> int:
        """Backbone passes that guidance takes."""
        return 1 if self.scale == 1 else 2


def batches(images: Sequence[ImageStep], budget: Budget, *, alone: bool = False) -> Iterator[list[ImageStep]]:
    """Batches of image steps in order, as large as `budget` allows; guided and unguided ones are apart.

    With `alone` each image step is a batch of its own, so that its dropout depends on nothing else.
    """
    batch: list[ImageStep] = []
    taken = 0.0
    for each in images:
        bytes_ = budget.image(each.known, each.halves)
        if batch and (alone or taken + bytes_ > budget.room or each.halves != batch[0].halves):
            yield batch
            batch, taken = [], 0
        batch.append(each)
        taken += bytes_
    if batch:
        yield batch


def conditions_of(
    model: Model, rollout: Rollout, batch: Sequence[ImageStep], masks: Sequence[Tensor], *, dtype: torch.dtype
) -> Condition:
    """The conditions of a batch by one backbone pass; `masks` are the unknown tokens at each kept AR step."""
    prompts = rollout.prompts.at([each.image for each in batch])
    tokens = torch.stack([rollout.steps[each.step].tokens[each.image] for each in batch])
    unknown = torch.stack([masks[each.step][each.image] for each in batch])
    scales = [each.scale for each in batch]
    prefix = PromptPrefix.of(model, prompts, guided=batch[0].halves == 2, dtype=dtype)
    return conditions(model, tokens, unknown, prefix, scales=scales, dtype=dtype)


def image_steps(
    masks: Sequence[Bool[Tensor, "b n"]], scales: Sequence[float], images: Sequence[Sequence[int]]
) -> list[ImageStep]:
    """The image steps of the given `images` of each kept AR step, with the step's replay mask and scale."""
    known = [(~mask).sum(1).tolist() for mask in masks]
    return [
        ImageStep(step, image, known[step][image], scales[step])
        for step, wanted in enumerate(images)
        for image in wanted
    ]
