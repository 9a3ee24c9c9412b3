"""How troubles reach a person: as sentences and exit codes, never as a traceback."""

import functools
import os
import tempfile
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from margrpo.cli.terminal import tell
from margrpo.errors import MargrpoError
from margrpo.plugin.target import described

P = ParamSpec("P")
R = TypeVar("R")
UNEXPECTED, REFUSED, INTERRUPTED = 1, 2, 130
"""Exit codes: a trouble nobody foresaw, one of ours, and Ctrl-C as shells give it."""
OUT_OF_MEMORY = (
    "the GPU's memory is not enough: lower run.budget, prompts.prompts, prompts.group, run.watch or run.held_out; "
    "`margrpo plan` tells what takes how much"
)


def spoken(command: Callable[P, R]) -> Callable[P, R]:
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
            if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported to ask
                tell(f"{OUT_OF_MEMORY} ({str(error).partition('. GPU')[0]})", word="error", style="bold red")
                raise typer.Exit(REFUSED) from None
            sentence = f"{described(error)}; this was not foreseen, the traceback is in {saved_traceback(error)}"
            tell(sentence, word="error", style="bold red")
            raise typer.Exit(UNEXPECTED) from None

    return told


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
