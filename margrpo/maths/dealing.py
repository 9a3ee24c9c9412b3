"""Which prompts a training step gets: a pure function of the step, so that a resumed run is dealt the same."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from margrpo.declare import record
from margrpo.lazy import torch
from margrpo.maths import noise
from margrpo.records import Key, Prompts

NO_LABEL = -1


@record
class Prompt:
    """One prompt before it is repeated for its group; label NO_LABEL where it names no class."""

    text: str
    label: int = NO_LABEL
    metadata: Mapping[str, Any] = field(default_factory=dict)


def dealt(draws: range, key: Key, count: int) -> tuple[int, ...]:
    """What these draws give out of `count` things: each epoch has an order of its own and gives every thing once."""
    epochs = sorted({draw // count for draw in draws})
    orders = {epoch: noise.permutation((*key, epoch), count) for epoch in epochs}
    return tuple(orders[draw // count][draw % count] for draw in draws)


def deal(step: int, seed: int, *, count: int, per_step: int) -> tuple[int, ...]:
    """The `per_step` of `count` prompts of one step; none comes again before every prompt has come."""
    return dealt(range(step * per_step, (step + 1) * per_step), (seed, "prompts"), count)


def grouped(prompts: Sequence[Prompt], group: int) -> Prompts:
    """Each prompt `group` times in a row, keyed by (its position, the sample in its group)."""
    repeated = [prompt for prompt in prompts for _ in range(group)]
    return Prompts(
        text=tuple(prompt.text for prompt in repeated),
        label=torch.tensor([prompt.label for prompt in repeated], dtype=torch.int64),
        metadata=tuple(prompt.metadata for prompt in repeated),
        group=torch.arange(len(prompts)).repeat_interleave(group),
        keys=tuple((position, sample) for position in range(len(prompts)) for sample in range(group)),
    )
