"""The end of a command: its exit code, and the sentence of an error."""

import errno
import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn, ParamSpec, TypeVar

import typer

from margrpo.cli.terminal import tell
from margrpo.distributed import torchrun
from margrpo.errors import MargrpoError
from margrpo.plugin.loading import described

P = ParamSpec("P")
R = TypeVar("R")
DONE, UNEXPECTED, REFUSED, STOPPED, INTERRUPTED = 0, 1, 2, 75, 130
EXIT_CODES: Mapping[int, str] = {
    DONE: "the command did what it was asked",
    UNEXPECTED: "an unexpected error; the message names the file with the traceback",
    REFUSED: "an expected error, such as a recipe, file, plugin or reward that cannot be used; or a failed check",
    STOPPED: "stopped by SIGTERM, SIGUSR1 or `--stop-after`, with a checkpoint; run the command again to continue",
    INTERRUPTED: "stopped by Ctrl-C; a training has a checkpoint and can be continued",
}
"""Every exit code. 75 is EX_TEMPFAIL of sysexits.h (try again later); 130 is a shell's code for Ctrl-C."""
OUT_OF_MEMORY = (
    "the GPU's memory is not enough: lower run.budget, prompts.prompts, prompts.group, run.eval_prompts or "
    "run.held_out; `margrpo plan` shows what needs how much"
)
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""System errors of a disk or its permissions, which are not errors of the program."""


def with_error_report(command: Callable[P, R]) -> Callable[P, R]:
    """The command, with every error it raises reported in a sentence and turned into an exit code."""

    @functools.wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
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

    return reporting


def sentence_of(error: Exception) -> tuple[str, int]:
    """The sentence and the exit code of an error that is not a `MargrpoError`."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported to ask
        return f"{OUT_OF_MEMORY} ({str(error).partition('. GPU')[0]})", REFUSED
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}cannot be written ({error.strerror}); complete files are unchanged", REFUSED
    return f"{described(error)}; this is unexpected, the traceback is in {saved_traceback(error)}", UNEXPECTED


def tell_error(error: MargrpoError) -> None:
    """Print an error, with a line for each of its problems."""
    for line in str(error).splitlines():
        tell(line, word="error", style="bold red")


def saved_traceback(error: Exception) -> str:
    """Write the traceback of an error into a new file; the file's path."""
    handle, path = tempfile.mkstemp(prefix="margrpo-traceback-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    return path


def exit_without_finalising(command: Callable[[], object]) -> None:
    """Run a command and exit with its code; one of several processes exits without finalising the interpreter.

    Threads of gloo may still ask for Python's lock while the interpreter is finalised, which aborts a process whose
    work is done: about once in fifty runs of four processes. torchrun would take the abort for a failure of the job.
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
    """Flush the standard streams and exit at once."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
