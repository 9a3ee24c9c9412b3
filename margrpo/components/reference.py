"""Rules for the earlier policy that a penalty compares with."""

from margrpo.declare import at_least, component, setting


@component
class Frozen:
    """The untrained policy as the reference."""

    def is_due(self, step: int) -> bool:
        """False: the reference is never renewed."""
        return False


@component
class Periodic:
    """The policy of the last multiple of `every` steps as the reference."""

    every: int = setting(50, "steps between renewals", check=at_least(1))

    def is_due(self, step: int) -> bool:
        """Whether `step` is a multiple of `every`."""
        return step % self.every == 0
