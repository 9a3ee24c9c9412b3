"""Policies for a reward that fails."""

from margrpo.declare import at_least, component, not_negative, positive, setting
from margrpo.errors import RewardError


@component
class Raise:
    """End the run with a message that names the error and the prompt."""

    timeout: float | None = setting(None, "seconds that one call may take; default: no limit", check=positive)
    attempts = 1
    backoff = 0.0

    def give_up(self, error: RewardError) -> None:
        """Raise the error."""
        raise error


@component
class Retry:
    """Call the reward again with growing pauses, and end the run if the last call fails."""

    attempts: int = setting(3, "calls in all", check=at_least(2))
    backoff: float = setting(1.0, "seconds before the second call, doubled before each later call", check=not_negative)
    timeout: float | None = setting(None, "seconds that one call may take; default: no limit", check=positive)

    def give_up(self, error: RewardError) -> None:
        """Raise the error."""
        raise error


@component
class DropGroup:
    """Drop the images of a prompt from the step if their reward fails, and learn from the other prompts."""

    attempts: int = setting(1, "calls in all", check=at_least(1))
    backoff: float = setting(1.0, "seconds before the second call, doubled before each later call", check=not_negative)
    timeout: float | None = setting(None, "seconds that one call may take; default: no limit", check=positive)

    def give_up(self, error: RewardError) -> None:
        """Return, which drops the group."""
