"""Resuming a run: its newest sound checkpoint, and the check that the recipe has not changed."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from margrpo.contracts import HasRunState, Processes
from margrpo.declare import record
from margrpo.errors import RunError
from margrpo.recipe.schema import Recipe
from margrpo.run_folder import RunFolder
from margrpo.train.assemble import Session, assemble
from margrpo.train.run import checkpoint, occupied
from margrpo.train.run.changes import changes
from margrpo.train.run.manifest import CorruptError
from margrpo.train.run.manifest import read as read_manifest
from margrpo.train.run.versions import versions

FREE = (
    *("title", "notes", "tracker", "canary", "run.maps", "run.signal_every", "run.signal_estimators"),
    *("run.save_every", "run.keep_last", "run.keep_every"),
)
"""Keys that a resumed run may change freely, because neither weights nor common figures depend on them."""


@record
class Start:
    """The start of a run: a sound checkpoint or, without one, step 0; with notes to log."""

    place: Path | None = None
    step: int = 0
    notes: tuple[str, ...] = ()

    def assembled(self, recipe: Recipe, processes: Processes) -> Session:
        """The session of `recipe`, with the weights of the checkpoint."""
        place = self.place
        if place is None:
            return assemble(recipe, processes)
        return assemble(recipe, processes, partial(checkpoint.restore_weights, place))

    def remembered(self, session: Session, parts: Mapping[str, HasRunState]) -> dict[str, Any]:
        """Restore the optimizer and the run state of `parts`; returns the loop's own state."""
        return {} if self.place is None else checkpoint.restore_state(self.place, session, parts)


def start_of(run: Path, processes: Processes) -> Start:
    """The newest sound checkpoint of a run; rank 0 finds it for all. *Collective*."""
    checkpoints = RunFolder(run).checkpoints
    notes: list[str] = []
    found = newest_sound(checkpoints, notes.append) if processes.rank == 0 else None
    step = int(processes.all_reduce(torch.tensor(-1 if found is None and processes.rank == 0 else step_of(found))))
    if step < 0:
        anew = ("there is no checkpoint to go on from: the run begins anew",) if occupied.holds_run(run) else ()
        return Start(notes=(*notes, *anew))
    manifest = found or read_manifest(checkpoint.place_of(checkpoints, step))
    if manifest.get("format") != checkpoint.FORMAT:
        raise RunError(
            f"{run}: its checkpoints have format version {manifest.get('format')}, and this margrpo reads version "
            f"{checkpoint.FORMAT} only; go on with the margrpo that wrote them, or begin in another --out"
        )
    return Start(checkpoint.place_of(checkpoints, step), step, (*notes, *other_versions(manifest)))


def step_of(manifest: Mapping[str, Any] | None) -> int:
    """The step of a checkpoint by its manifest; 0 without a manifest."""
    return manifest["step"] if manifest else 0


def newest_sound(checkpoints: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """The manifest of the newest sound checkpoint; damaged checkpoints are reported and set aside."""
    checkpoint.clear_partial(checkpoints)
    for place in reversed(checkpoint.all_in(checkpoints)):
        try:
            return read_manifest(place)
        except CorruptError as error:
            say(f"{error}; it was set aside as {set_aside(place).name}")
    return None


def set_aside(place: Path) -> Path:
    """Rename a damaged checkpoint, and return its new place."""
    names = ("damaged", *(f"damaged-{number}" for number in range(2, 1000)))
    aside = next(free for name in names if not (free := place.with_name(f"{place.name}.{name}")).exists())
    return place.rename(aside)


def check_same(run: Path, resolved: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise `RunError` if the recipe has changed, except in `allowed` keys and keys that decide no number."""
    changed = changes(occupied.recipe_of(run), resolved)
    refused = {key: how for key, how in changed.items() if not covered(key, (*FREE, *allowed))}
    if refused:
        listed = "; ".join(f"{key} = {how}" for key, how in refused.items())
        names = " ".join(f"--allow-change {key}" for key in refused)
        raise RunError(
            f"{run}: was begun with another recipe: {listed}; go on with its own (margrpo resume {quote(str(run))}), "
            f"choose another --out, or allow it ({names})"
        )


def covered(key: str, names: Iterable[str]) -> bool:
    """Whether `key`, or a table that contains it, is among `names`."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def other_versions(manifest: Mapping[str, Any]) -> list[str]:
    """A sentence if the versions of libraries have changed since the checkpoint was written."""
    now = versions()
    changed = [
        f"{name} {old}, now {now.get(name, 'absent')}"
        for name, old in manifest["versions"].items()
        if now.get(name) != old
    ]
    return (
        [f"other versions than before: {'; '.join(changed)}; figures may differ in their last digits"]
        if changed
        else []
    )
