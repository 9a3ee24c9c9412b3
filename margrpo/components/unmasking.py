"""Schedules of unmasking."""

from margrpo.declare import at_least, component, setting
from margrpo.maths import unmasking


@component
class Cosine:
    """Unmasking of few tokens first and many last, along a cosine   (mar, section 3.3)."""

    steps: int = setting(64, "AR steps of an image", check=at_least(1))

    def counts(self, tokens: int) -> tuple[int, ...]:
        """The number of unknown tokens before each AR step and after the last."""
        return unmasking.cosine_counts(tokens, self.steps)
