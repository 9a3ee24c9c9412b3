"""How a process of several ends."""

import errno
import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import typer

from margrpo.cli.terminal import tell
from margrpo.distributed import torchrun
from margrpo.errors import MargrpoError
from margrpo.plugin.loading import described

P = ParamSpec("P")
R = TypeVar("R")
UNEXPECTED, REFUSED, STOPPED, INTERRUPTED = 1, 2, 75, 130
"""Exit codes: a trouble nobody foresaw, one of ours, stopped by a signal or a limit of time with a checkpoint to go on
from (EX_TEMPFAIL of sysexits.h: try again later), and Ctrl-C as shells give it."""
OUT_OF_MEMORY = (
    "the GPU's memory is not enough: lower run.budget, prompts.prompts, prompts.group, run.eval_prompts or "
    "run.held_out; `margrpo plan` tells what takes how much"
)


OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of the system that are about a disk or its rights, and no fault of the program's."""


def with_error_report(command: Callable[P, R]) -> Callable[P, R]:
    """The command, with whatever it raises told in a sentence and turned into an exit code."""

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except MargrpoError as error:
            tell_error(error)
            raise typer.Exit(REFUSED) from None
        except KeyboardInterrupt:
            tell("stopped")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            sentence, code = sentence_of(error)
            tell(sentence, word="error", style="bold red")
            raise typer.Exit(code) from None

    return told


def sentence_of(error: Exception) -> tuple[str, int]:
    """What to say of an error that is none of ours, and the exit code."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported to ask
        return f"{OUT_OF_MEMORY} ({str(error).partition('. GPU')[0]})", REFUSED
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}cannot be written ({error.strerror}); what was complete is as it was", REFUSED
    return f"{described(error)}; this was not foreseen, the traceback is in {saved_traceback(error)}", UNEXPECTED


def tell_error(error: MargrpoError) -> None:
    """Print an error, a line for each thing that is wrong."""
    for line in str(error).splitlines():
        tell(line, word="error", style="bold red")


def saved_traceback(error: Exception) -> str:
    """The path of a new file with the traceback."""
    handle, path = tempfile.mkstemp(prefix="margrpo-traceback-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    return path


def exit_without_finalising(command: Callable[[], object]) -> None:
    """Run a command that ends in SystemExit, and end with its code; one process of several ends without finalisation.

    The threads of gloo may still want Python's lock while the interpreter is taken down, which aborts a process whose
    work is done: once in some fifty runs of four processes, and torchrun takes that for a failure of the job.
    """
    if torchrun.count() == 1:
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
