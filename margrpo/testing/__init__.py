"""Tools for tests of this library and of plugins: small real components, strategies, and the conformance kit."""

from collections.abc import Callable
from typing import Any

__all__ = ["every_check"]


def every_check(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call `margrpo.testing.conformance.every_check`, which is imported at the first call."""
    from margrpo.testing.conformance import every_check as made

    return made(*args, **kwargs)
