"""For tests, ours and third parties': small real things, strategies of them, and the conformance kit."""

from collections.abc import Callable
from typing import Any

__all__ = ["every_check"]


def every_check(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """See `margrpo.testing.conformance.every_check`, which is imported when it is asked for."""
    from margrpo.testing.conformance import every_check as made

    return made(*args, **kwargs)
