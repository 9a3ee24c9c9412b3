"""How a process of several ends."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from margrpo import launched


def leaving_well(command: Callable[[], object]) -> None:
    """Run a command that ends in SystemExit, and end with its code; one process of several ends without finalisation.

    The threads of gloo may still want Python's lock while the interpreter is taken down, which aborts a process whose
    work is done: once in some fifty runs of four processes, and torchrun takes that for a failure of the job.
    """
    if launched.count() == 1:
        command()
        return
    try:
        command()
    except SystemExit as ended:
        end(ended.code)
    end(0)


def end(code: str | int | None) -> NoReturn:
    """End at once, with everything that was printed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
