"""How many faults are tried: a few with the other tests, all with `nox -s faults`."""

import os
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")


def cases(few: T, every: T) -> T:
    """`every` where MARGRPO_FAULTS is "every", else `few`."""
    return every if os.environ.get("MARGRPO_FAULTS") == "every" else few


def fuzz(few: int, every: int) -> Any:
    """Settings of hypothesis: the same few examples at each run, or every one drawn anew."""
    return settings(
        max_examples=cases(few, every),
        derandomize=cases(True, False),
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
