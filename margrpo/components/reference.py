"""Which earlier policy a penalty compares with."""

from margrpo.declare import at_least, component, setting


@component
class Frozen:
    """The policy as it was before training."""

    def is_due(self, step: int) -> bool:
        """Never."""
        return False


@component
class Periodic:
    """The policy as it was at the last multiple of `every` steps."""

    every: int = setting(50, "steps between renewals", check=at_least(1))

    def is_due(self, step: int) -> bool:
        """After each multiple of `every` steps."""
        return step % self.every == 0
