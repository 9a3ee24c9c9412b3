"""The run folder: what is in it, and that it is complete or absent."""

import json
import os
import shutil
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from margrpo.errors import RunError
from margrpo.nets import weights
from margrpo.plugin.registry import Registry, registry
from margrpo.train.assemble import Session

CHECKPOINTS = "checkpoints"
SUMMARY = "summary.json"
MAY_CHANGE = ("title", "notes", "run", "tracker")
"""What a resumed run may change: how long it goes on and what it tells; of `run`, not the seed and not `held_out`."""


def check(folder: Path, *, resume: bool) -> None:
    """Refuse a folder that holds a run already, unless it is to go on, and one that cannot be made."""
    if (folder / "recipe.toml").exists() and not resume:
        raise RunError(f"{folder}: holds a run already; add --resume to go on with it, or choose another --out")
    if resume and not (folder / "recipe.toml").exists():
        raise RunError(f"{folder}: holds no run to resume; leave --resume out to begin one there")
    above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(
            f"{folder}: cannot be made, because {above} is no folder that can be written; choose another --out"
        )


def make(folder: Path) -> None:
    """Make the folder of a run that is about to begin."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "images").mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from None


def check_same(folder: Path, resolved: Mapping[str, Any]) -> None:
    """Refuse to go on with another recipe, naming the tables that differ."""
    before = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    tables = [key for key in {**before, **resolved} if key not in MAY_CHANGE]
    changed = [f"[{key}]" for key in tables if before.get(key) != resolved.get(key)]
    changed += [f"run.{key}" for key in ("seed", "held_out") if before["run"][key] != resolved["run"][key]]
    if changed:
        raise RunError(
            f"{folder}: was begun with another recipe, which differs in {', '.join(changed)}; "
            f"resume it with its own: margrpo train {folder} --resume"
        )


def summary(folder: Path) -> dict[str, Any] | None:
    """The summary of a run that finished."""
    path = folder / SUMMARY
    found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def next_free(stem: str) -> Path:
    """runs/STEM-1, or the first number that is not taken."""
    number = 1
    while (Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return Path("runs") / f"{stem}-{number}"


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def versions(among: Registry | None = None) -> dict[str, str]:
    """The versions of the libraries that decide the numbers, and of every plugin's distribution."""
    found = among or registry()
    names = ("margrpo", "torch", "numpy", "scipy", "einops", "attrs", "cattrs", "pluggy", "safetensors")
    plugins = sorted({found.distribution(entry) for entry in found.entries()})
    return {name: installed(name) for name in (*names, *plugins)}


def installed(name: str) -> str:
    """The version of a distribution, or that it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def save(folder: Path, session: Session, step: int, memory: Mapping[str, Any]) -> None:
    """A checkpoint after `step` steps: written beside, then renamed; the one before it is removed."""
    place = folder / CHECKPOINTS / f"step-{step:06d}"
    beside = place.with_suffix(".partial")
    shutil.rmtree(beside, ignore_errors=True)
    weights.write(beside / "policy.safetensors", {"policy": session.model, "codec": session.pipeline.codec})
    if session.method.leash.reference is not None:
        weights.write(beside / "reference.safetensors", {"policy": session.method.leash.reference})
    torch.save(session.optimizer.state_dict(), beside / "optimizer.pt")
    write_json(beside / "state.json", {"step": step, **memory})
    if not place.exists():
        beside.replace(place)
    for older in sorted((folder / CHECKPOINTS).glob("step-??????"))[:-2]:
        shutil.rmtree(older)


def restore(folder: Path, session: Session) -> dict[str, Any]:
    """Load the newest checkpoint into the session; what was in its state.json."""
    found = sorted((folder / CHECKPOINTS).glob("step-??????"))
    if not found:
        return {"step": 0}
    place = found[-1]
    weights.put(session.model, weights.read(str(place / "policy.safetensors"), "policy"), str(place))
    if session.method.leash.reference is not None:
        reference = weights.read(str(place / "reference.safetensors"), "policy")
        weights.put(session.method.leash.reference, reference, str(place))
    session.optimizer.load_state_dict(torch.load(place / "optimizer.pt", weights_only=True))
    return json.loads((place / "state.json").read_text(encoding="utf-8"))
