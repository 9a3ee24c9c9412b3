"""What is done when a reward fails."""

from margrpo.declare import at_least, component, not_negative, positive, setting
from margrpo.errors import RewardError


@component
class Raise:
    """End the run, with what happened and for which prompt."""

    timeout: float | None = setting(None, "seconds that one call may take; no limit unless given", check=positive)
    attempts = 1
    backoff = 0.0

    def give_up(self, error: RewardError) -> None:
        """Raise the error."""
        raise error


@component
class Retry:
    """Call the reward again, ever later, and end the run where that does not help."""

    attempts: int = setting(3, "calls in all", check=at_least(2))
    backoff: float = setting(1.0, "seconds before the second call, doubled before each further one", check=not_negative)
    timeout: float | None = setting(None, "seconds that one call may take; no limit unless given", check=positive)

    def give_up(self, error: RewardError) -> None:
        """Raise the error."""
        raise error


@component
class DropGroup:
    """Leave the images of a prompt out of the step where they get no reward; the other prompts are learned from."""

    attempts: int = setting(1, "calls in all", check=at_least(1))
    backoff: float = setting(1.0, "seconds before the second call, doubled before each further one", check=not_negative)
    timeout: float | None = setting(None, "seconds that one call may take; no limit unless given", check=positive)

    def give_up(self, error: RewardError) -> None:
        """Let the group go."""
