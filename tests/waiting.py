"""Waits for what another thread or process does, and fails where it never comes."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds until a wait fails. A machine that is busy stays far below it, so no test depends on the number."""


def wait_for(found: Callable[[], T], what: str, *, patience: float = PATIENCE) -> T:
    """The first true value of `found`, or an AssertionError that names what did not come."""
    end = time.monotonic() + patience
    while not (value := found()):
        assert time.monotonic() < end, f"waited {patience:g} s in vain for {what}"
        time.sleep(0.005)
    return value


@contextmanager
def started(command: Sequence[str], *, cwd: object, **how: object) -> "Iterator[subprocess.Popen[str]]":
    """A process whose standard error can be read line by line; it is killed where it does not end."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=cwd, **how) as process:  # type: ignore[call-overload]
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
