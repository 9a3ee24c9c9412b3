"""Which images at which AR steps share a pass of the backbone.

A unit of the backbone's work is one image at one AR step. Units of several AR steps share a pass, although they differ
in how many tokens are known; a unit that carries no loss is left out.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from margrpo.contracts import Model
from margrpo.declare import record
from margrpo.records import Rollout
from margrpo.train.budget import Budget
from margrpo.train.condition import Conditions, conditions


@record
class Unit:
    """One image at one AR step, by its place among the steps that were kept, and how the backbone is asked."""

    step: int
    image: int
    known: int
    scale: float

    @property
    def halves(self) -> int:
        """Passes that guidance takes."""
        return 1 if self.scale == 1 else 2


def batches(units: Sequence[Unit], budget: Budget, *, alone: bool = False) -> Iterator[list[Unit]]:
    """The units in their order, as many at once as the budget has room for; guided and unguided ones apart.

    With `alone` each is a batch of its own, so that what is drawn for it depends on nothing else.
    """
    batch: list[Unit] = []
    taken = 0.0
    for unit in units:
        bytes_ = budget.unit(unit.known, unit.halves)
        if batch and (alone or taken + bytes_ > budget.room or unit.halves != batch[0].halves):
            yield batch
            batch, taken = [], 0
        batch.append(unit)
        taken += bytes_
    if batch:
        yield batch


def conditions_of(
    model: Model, rollout: Rollout, batch: Sequence[Unit], unknown: Sequence[Tensor], *, dtype: torch.dtype
) -> Conditions:
    """One pass over a batch of units; `unknown` is what the backbone takes as unknown at each kept AR step."""
    prompts, scales = rollout.prompts.at([unit.image for unit in batch]), {unit.scale for unit in batch}
    tokens = torch.stack([rollout.steps[unit.step].tokens[unit.image] for unit in batch])
    masks = torch.stack([unknown[unit.step][unit.image] for unit in batch])
    (scale,) = scales if len(scales) == 1 else (torch.tensor([unit.scale for unit in batch], device=tokens.device),)
    return conditions(model, tokens, masks, prompts, scale=scale, dtype=dtype)


def units_of(
    unknown: Sequence[Bool[Tensor, "b n"]], scales: Sequence[float], images: Sequence[Sequence[int]]
) -> list[Unit]:
    """The units of some images of each kept AR step, where the backbone is asked with these masks and scales."""
    known = [(~mask).sum(1).tolist() for mask in unknown]
    return [
        Unit(step, image, known[step][image], scales[step]) for step, wanted in enumerate(images) for image in wanted
    ]
