"""The check of `margrpo resume --verify`: a recorded step is repeated and must give its figures to the last bit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from margrpo.contracts import Processes
from margrpo.errors import RunError
from margrpo.recipe.schema import Recipe
from margrpo.run_folder import METRICS, RunFolder
from margrpo.train.run import checkpoint, manifest
from margrpo.train.run.figures import is_measured
from margrpo.train.run.resume import Start
from margrpo.train.run.run_state import stateful
from margrpo.train.step import train_step

SHOWN = 4


def verify_resume(recipe: Recipe, run: Path, processes: Processes) -> str:
    """Repeat the newest recorded step that has a checkpoint before it; `RunError` if its figures differ."""
    start, recorded = newest_recorded(run)
    session = start.assembled(recipe, processes)
    start.remembered(session, stateful(session))
    figures = train_step(session, start.step).figures
    found = {name: value for name, value in figures.items() if not is_measured(name) and name in recorded}
    differ = {name: value for name, value in found.items() if recorded[name] not in (value, None)}
    if differ:
        listed = "; ".join(
            f"{name} {value!r} instead of {recorded[name]!r}" for name, value in list(differ.items())[:SHOWN]
        )
        raise RunError(
            f"{run}: step {start.step} was repeated and gives other figures: {listed}; the library, its "
            "threads or the machine have changed; leave --verify out to continue anyway"
        )
    return f"step {start.step} was repeated: all {len(found)} figures are equal to the last bit"


def newest_recorded(run: Path) -> tuple[Start, Mapping[str, Any]]:
    """The newest sound checkpoint that a recorded step follows, and the figures of this step; or `RunError`."""
    lines = by_step(RunFolder(run).metrics)
    for place in reversed(checkpoint.all_in(RunFolder(run).checkpoints)):
        step = checkpoint.step_of(place)
        if step in lines:
            manifest.read(place)
            return Start(place, step), lines[step]
    raise RunError(f"{run}: no step after a checkpoint is recorded in {METRICS}, so there is no step to repeat")


def by_step(path: Path) -> dict[int, Mapping[str, Any]]:
    """The lines of a file of figures by their steps; a last line that a kill cut short is left out."""
    *lines, _ = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
    return {line["step"]: line for line in map(json.loads, lines)}
