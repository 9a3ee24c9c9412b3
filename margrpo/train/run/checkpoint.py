"""Checkpoints: the state of a run, copied, written, and restored; reading a checkpoint never runs code."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from margrpo.contracts import HasRunState, Model, Regularizer, Weights
from margrpo.declare import record
from margrpo.errors import RunError
from margrpo.plugin.loading import described
from margrpo.run_folder import POLICY, by_step, step_name
from margrpo.train.assemble import Session
from margrpo.train.run import manifest, run_state
from margrpo.train.run.packing import Tensors, pack, unpack
from margrpo.weights import modules

REFERENCE, STATE, COMPONENTS = "reference.safetensors", "state", "components"
FORMAT = 2
"""Checkpoint format version; any other version is refused."""


@record
class Snapshot:
    """A copy of the tensors and the plain state of a run after a step, so that the run can go on."""

    step: int
    files: Mapping[str, Tensors]
    plain: Mapping[str, Any]
    facts: Mapping[str, Any]

    def with_state_of(self, parts: Mapping[str, HasRunState]) -> "Snapshot":
        """The snapshot with the run state of components, in files of its own."""
        plain, tensors = pack(run_state.states(parts), COMPONENTS)
        files = {**self.files, f"{COMPONENTS}.safetensors": on_the_cpu(tensors)} if tensors else self.files
        return replace(self, files=files, plain={**self.plain, COMPONENTS: plain})

    @property
    def bytes(self) -> int:
        """The size of the tensors in bytes."""
        return sum(value.nbytes for tensors in self.files.values() for value in tensors.values())

    def write(self, checkpoints: Path) -> None:
        """Write the checkpoint's folder."""
        manifest.write(place_of(checkpoints, self.step), self.fill, {"format": FORMAT, "step": self.step, **self.facts})

    def fill(self, folder: Path) -> None:
        """Write the checkpoint's files into `folder`."""
        for name, tensors in self.files.items():
            modules.write_tensors(folder / name, tensors)
        for name, plain in self.plain.items():
            (folder / f"{name}.json").write_text(json.dumps(plain) + "\n", encoding="utf-8")


def place_of(checkpoints: Path, step: int) -> Path:
    """The folder of the checkpoint after a step."""
    return checkpoints / step_name(step)


def step_of(place: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(place.name.removeprefix("step-"))


def all_in(checkpoints: Path) -> list[Path]:
    """The checkpoints, the newest last."""
    return list(by_step(checkpoints).values())


def snapshot(session: Session, step: int, memory: Mapping[str, Any], facts: Mapping[str, Any]) -> Snapshot:
    """Copy everything that changes in a step; complete on rank 0. *Collective*."""
    plain, tensors = pack({"memory": memory, "optimizer": session.processes.optimizer_state(session.optimizer)}, STATE)
    reference = session.method.regularizer.reference
    files = {
        POLICY: {**copied("policy", session.model), **copied("codec", session.pipeline.codec, changes=False)},
        f"{STATE}.safetensors": on_the_cpu(tensors),
    }
    if reference is not None:
        files[REFERENCE] = copied("policy", reference)
    return Snapshot(step, files, {STATE: plain}, facts)


def on_the_cpu(tensors: Tensors) -> Tensors:
    """Copies of tensors on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}


def copied(name: str, module: Weights, *, changes: bool = True) -> Tensors:
    """A module's tensors in float32 on the CPU; copied unless the module never changes."""
    return {
        f"{name}.{key}": value.detach().to("cpu", torch.float32, copy=changes)
        for key, value in module.state_dict().items()
    }


def restore_weights(place: Path, model: Model, regularizer: Regularizer) -> None:
    """Restore the weights of a policy and its reference from a sound checkpoint, before processes share them."""
    put(model, place / POLICY)
    if regularizer.reference is not None:
        put(regularizer.reference, place / REFERENCE)


def put(model: Model, path: Path) -> None:
    """Copy the policy of a file into `model` in place."""
    modules.put(model, modules.read(str(path), "policy"), str(path))


def restore_state(place: Path, session: Session, parts: Mapping[str, HasRunState]) -> dict[str, Any]:
    """Restore the optimizer and the run state of `parts` from a sound checkpoint; returns the loop's own memory."""
    state = unpacked(place, STATE)
    session.processes.restore_optimizer(session.optimizer, state["optimizer"])
    run_state.restore(parts, unpacked(place, COMPONENTS))
    memory: dict[str, Any] = state["memory"]
    return memory


def unpacked(place: Path, name: str) -> dict[str, Any]:
    """The state under `name` in a sound checkpoint."""
    tensors = place / f"{name}.safetensors"
    try:
        plain = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
        state: dict[str, Any] = unpack(plain, modules.read_tensors(tensors) if tensors.exists() else {})
    except (ValueError, KeyError, AttributeError) as error:
        raise RunError(f"{place}: {name}.json is not state that a run has written ({described(error)})") from None
    return state


def prune(checkpoints: Path, *, keep: int, keep_every: int | None) -> None:
    """Remove checkpoints, except the newest `keep` and every one whose step is a multiple of `keep_every`."""
    for place in all_in(checkpoints)[:-keep]:
        if keep_every is None or step_of(place) % keep_every:
            shutil.rmtree(place)


def clear_partial(checkpoints: Path) -> None:
    """Remove partial checkpoints of a run that was killed while it wrote them."""
    for place in checkpoints.glob(f"*{manifest.PARTIAL}"):
        shutil.rmtree(place)
