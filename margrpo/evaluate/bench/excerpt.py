"""A few AR steps of an unmasking, so that a trained AR step can be measured without the rest of the rollout."""

from margrpo.contracts import Unmasking
from margrpo.errors import RunError
from margrpo.recipe import Recipe


class SubsampledUnmasking:
    """An unmasking with only some AR steps of another one, each with the step before it; steps between are merged.

    A trained AR step costs as much as in the recipe, without the rollout's other AR steps.
    """

    def __init__(self, whole: Unmasking, places: tuple[int, ...], tokens: int):
        every = whole.counts(tokens)
        wanted = {0, tokens, *(every[at] for place in places for at in (max(0, place - 1), place, place + 1))}
        self.unknown = tuple(sorted(wanted, reverse=True))
        self.steps = len(self.unknown) - 1
        self.kept = tuple(self.unknown.index(every[place]) for place in places)

    def counts(self, tokens: int) -> tuple[int, ...]:
        """The number of unknown tokens before each AR step and after the last."""
        return self.unknown


def excerpt(recipe: Recipe, ar_steps: int) -> SubsampledUnmasking:
    """An unmasking with `ar_steps` of the recipe's AR steps, evenly spread."""
    steps, tokens = recipe.unmasking.steps, recipe.policy.geometry()[0]
    if ar_steps > steps:
        raise RunError(f"--ar-steps {ar_steps}: the recipe's images take {steps} AR steps; give {steps} or fewer")
    places = tuple(steps * (2 * each + 1) // (2 * ar_steps) for each in range(ar_steps))
    return SubsampledUnmasking(recipe.unmasking, places, tokens)
