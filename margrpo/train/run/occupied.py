"""The run folder in use: one run at a time writes to it, and a finished or other run in it is recognised."""

import json
import os
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from margrpo.errors import RunError
from margrpo.run_folder import RunFolder


def check(folder: Path) -> None:
    """Raise `RunError` if a folder cannot be made or written to, or if an earlier margrpo wrote it."""
    above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(
            f"{folder}: cannot be made, because {above} is not a folder that can be written; choose another --out"
        )
    RunFolder(folder).refuse_of_before()


def refuse_run(folder: Path) -> None:
    """Raise `RunError` if the folder holds a run already."""
    if holds_run(folder):
        raise RunError(f"{folder}: holds a run already; choose another --out")


def holds_run(folder: Path) -> bool:
    """Whether a run was begun in the folder."""
    return RunFolder(folder).recipe.exists()


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Make the folder and lock it for this process; a folder that stays empty is removed again."""
    make(folder)
    file = RunFolder(folder).lock
    lock, holder = FileLock(file), holder_of(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        by = f" ({holder})" if holder else ""
        raise RunError(
            f"{folder}: is in use by another process{by}; wait for its end, or choose another --out"
        ) from None
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None
    try:
        file.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        if set(folder.iterdir()) <= {file}:
            file.unlink(missing_ok=True)
            folder.rmdir()
        lock.release()


def holder_of(lock: Path) -> str:
    """The process that holds the folder, or last held it, as the lock names it."""
    try:
        return lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def make(folder: Path) -> None:
    """Make the run folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from None


def recipe_of(folder: Path) -> dict[str, Any]:
    """The table of the recipe that the run was begun with."""
    path = RunFolder(folder).recipe
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise RunError(
            f"{path}: was changed after it was written ({error}); copy it anew from the manifest of a checkpoint, "
            "or begin in another --out"
        ) from None


def summary(folder: Path) -> dict[str, Any] | None:
    """The summary of a finished run, or None."""
    path = RunFolder(folder).summary
    try:
        found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except ValueError:
        raise RunError(f"{path}: was changed after it was written; remove it, and the run writes it again") from None
    return found


def next_free(stem: str) -> Path:
    """The folder runs/STEM-N with the first free number N."""
    number = 1
    while (Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return Path("runs") / f"{stem}-{number}"
