"""A folder that is complete or absent, with a manifest of digests that shows any change to it."""

import json
import shutil
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

from margrpo.errors import RunError
from margrpo.train.run import durable

MANIFEST, SEAL = "manifest.json", "manifest.sha256"
PARTIAL = ".partial"


class CorruptError(RunError):
    """A folder whose files do not match its manifest."""


def write(place: Path, fill: Callable[[Path], None], facts: Mapping[str, Any]) -> None:
    """Let `fill` write files into a folder, and rename the folder to `place` when it is complete and on the disk.

    The manifest holds `facts`, and under "files" the size and SHA-256 of each file.
    """
    beside = place.with_name(place.name + PARTIAL)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        fill(beside)
        files = {path.name: fingerprint(path) for path in sorted(beside.iterdir())}
        for name in files:
            durable.sync(beside / name)
        durable.write_json(beside / MANIFEST, {**facts, "files": files})
        durable.write_text(beside / SEAL, seal_of(beside / MANIFEST))
        beside.rename(place)
        durable.sync(place.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)  # on a full disk it would be in the way
        raise


def read(place: Path) -> dict[str, Any]:
    """The manifest of a folder; `CorruptError` with the name of the first file that does not match."""
    try:
        if (place / SEAL).read_bytes() != seal_of(place / MANIFEST).encode():
            raise CorruptError(f"{place}: {MANIFEST} was changed: its SHA-256 is not the one in {SEAL}")
        manifest: dict[str, Any] = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        for name, wanted in manifest["files"].items():
            found = fingerprint(place / name)
            if found != wanted:
                raise CorruptError(f"{place}: {name} was changed: {difference(found, wanted)}")
    except OSError as error:
        name = Path(error.filename or place).name
        raise CorruptError(f"{place}: {name} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CorruptError(f"{place}: {MANIFEST} is not a manifest") from None
    return manifest


def fingerprint(path: Path) -> dict[str, Any]:
    """The size and the SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The difference between a file and its entry in the manifest, in a few words."""
    if found["bytes"] != wanted["bytes"]:
        return f"it has {found['bytes']:,} bytes instead of {wanted['bytes']:,}"
    return "its SHA-256 differs"


def seal_of(manifest: Path) -> str:
    """The line that `sha256sum --check` reads for the manifest."""
    return f"{fingerprint(manifest)['sha256']}  {MANIFEST}\n"
