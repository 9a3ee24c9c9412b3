"""The run folder in use: one run at a time writes to it, and a finished or other run in it is recognised."""

import json
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from margrpo.errors import RunError
from margrpo.plugin.registry import Registry, registry
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


def versions(among: Registry | None = None) -> dict[str, str]:
    """The versions of the libraries that decide the numbers and of plugins, and the digests of functions in files."""
    found = among or registry()
    names = ("margrpo", "torch", "numpy", "scipy", "einops", "attrs", "cattrs", "pluggy", "safetensors")
    plugins = sorted({found.distribution(entry) for entry in found.entries()})
    return {name: installed(name) for name in (*names, *plugins)} | found.files()


def installed(name: str) -> str:
    """The version of a distribution, or "not installed"."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """The differences between two tables: for each dotted key, the old value and the new one."""
    old, new = flat(before), flat(after)
    return {
        key: f"{value_text(old, key)}, now {value_text(new, key)}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    }


def flat(table: Any, path: str = "") -> dict[str, Any]:
    """The values of a table and of the tables in it by their dotted keys."""
    pairs = table.items() if isinstance(table, Mapping) else enumerate(table)
    values: dict[str, Any] = {}
    for key, value in pairs:
        inner = isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(v, Mapping) for v in value))
        values |= flat(value, f"{path}{key}.") if inner else {f"{path}{key}": value}
    return values


def value_text(values: Mapping[str, Any], key: str) -> str:
    """A value as JSON, short enough for a sentence."""
    return json.dumps(values[key], ensure_ascii=False)[:60] if key in values else "absent"
