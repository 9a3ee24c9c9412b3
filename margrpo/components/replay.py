"""The guidance under which recorded transitions are scored."""

from margrpo.declare import component


@component
class Guided:
    """The rollout's own: the exact density of what was drawn, at the cost of a second backbone pass."""

    def scale(self, rollout_scale: float) -> float:
        """The rollout's scale."""
        return rollout_scale


@component
class Conditional:
    """None: the conditional branch alone, as in the paper's release; cheaper, and off the behaviour density."""

    def scale(self, rollout_scale: float) -> float:
        """1, whatever the rollout's."""
        return 1.0
