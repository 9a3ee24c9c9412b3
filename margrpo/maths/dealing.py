"""Which prompts a training step gets: a pure function of the step, so that a resumed run is dealt the same."""

from margrpo.maths import noise
from margrpo.records import Key


def dealt(draws: range, key: Key, count: int) -> tuple[int, ...]:
    """What these draws give out of `count` things: each epoch has an order of its own and gives every thing once."""
    epochs = sorted({draw // count for draw in draws})
    orders = {epoch: noise.permutation((*key, epoch), count) for epoch in epochs}
    return tuple(orders[draw // count][draw % count] for draw in draws)


def deal(step: int, seed: int, *, count: int, per_step: int) -> tuple[int, ...]:
    """The `per_step` of `count` prompts of one step; none comes again before every prompt has come."""
    return dealt(range(step * per_step, (step + 1) * per_step), (seed, "prompts"), count)
