"""The scale of classifier-free guidance in the rollout   (cfg)."""

from margrpo.declare import component, not_negative, setting


@component
class Constant:
    """A constant scale at all AR steps."""

    weight: float = setting(1.0, "scale w; 1 means unguided and saves the second pass", check=not_negative)

    def scale(self, tokens: int, remaining: int) -> float:
        """The scale w."""
        return self.weight


@component
class Linear:
    """A scale that rises from almost 1 to nearly w as tokens become known   (mar, appendix B)."""

    weight: float = setting(3.0, "scale w that is approached", check=not_negative)

    def scale(self, tokens: int, remaining: int) -> float:
        """1 + (w − 1)(n − m)/n with m tokens unknown after the step, and m = 1 after the last, as published."""
        return 1 + (self.weight - 1) * (tokens - max(remaining, 1)) / tokens
