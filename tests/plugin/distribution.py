"""Real distributions with a plugin in them, written to a folder that Python imports from."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path


def install(folder: Path, name: str, source: str) -> None:
    """Put a distribution called `name` there, whose entry point `name` is the module `name`_plugin."""
    sys.modules.pop(f"{name}_plugin", None)  # that of an earlier test
    (folder / f"{name}_plugin.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[margrpo]\n{name} = {name}_plugin\n")


def points(folder: Path) -> Iterator[EntryPoint]:
    """The entry points of group margrpo in that folder."""
    for distribution in sorted(distributions(path=[str(folder)]), key=lambda found: found.name):
        yield from distribution.entry_points.select(group="margrpo")


def offering(*ids: str, target: str = "margrpo.components.selector:Every") -> str:
    """The source of a plugin with these entries."""
    entries = ", ".join(f'Entry("{entry_id}", "{target}")' for entry_id in ids)
    return f"from margrpo import Entry, hookimpl\n\n@hookimpl\ndef margrpo_components():\n    return [{entries}]\n"
