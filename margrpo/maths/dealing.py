"""The prompts of a training step, a pure function of the step, so that a resumed run gets equal prompts."""

from margrpo.maths import noise
from margrpo.records import Key


def dealt(draws: range, key: Key, count: int) -> tuple[int, ...]:
    """Indices below `count` for the numbers in `draws`; each epoch has its own order and gives each index once."""
    epochs = sorted({draw // count for draw in draws})
    orders = {epoch: noise.permutation((*key, epoch), count) for epoch in epochs}
    return tuple(orders[draw // count][draw % count] for draw in draws)


def deal(step: int, seed: int, *, count: int, per_step: int) -> tuple[int, ...]:
    """The `per_step` of `count` prompts of one step; a prompt comes again only after every prompt has come."""
    return dealt(range(step * per_step, (step + 1) * per_step), (seed, "prompts"), count)
