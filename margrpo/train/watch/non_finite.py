"""Numbers that are not finite: their likely cause, and a copy of the rollout to inspect."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from margrpo.pictures.grid import save_grid
from margrpo.records import Rollout
from margrpo.run_folder import RunFolder, step_name
from margrpo.train.assemble import Session
from margrpo.train.run import durable
from margrpo.weights import modules

KEPT = 3
"""Number of rollouts that are kept, so that a run in trouble does not fill the disk."""
STEEP = 1e-3
"""A std below which the log-probability of a token is steeper than float32 gradients bear."""


def cause(session: Session, rollout: Rollout) -> str:
    """The likely cause of numbers of a step that are not finite, and what to do."""
    rate = f"the learning rate of [optimizer], {session.optimizer.param_groups[0]['lr']:g} in this step"
    for name, value in session.model.state_dict().items():
        if not value.isfinite().all():
            return f"the weights themselves are not finite ({name}); go back to an earlier checkpoint and lower {rate}"
    if not rollout.tokens.isfinite().all():
        return f"the policy drew tokens that are not finite, so it has drifted far; lower {rate}, or add a penalty"
    smallest = min((float(step.chain.std.min()) for step in rollout.steps if step.chain.std.numel()), default=1.0)
    if smallest < STEEP:
        return (
            f"the smallest std of a trained transition is {smallest:.1e}, which makes log-probabilities steep; choose "
            '`weighting.use = "variance"`, or raise sampler.temperature'
        )
    if session.method.regularizer.reference is not None:
        return "the penalty overflows because the policy is far from its reference; lower the penalty"
    return f"a gradient overflowed; lower {rate}"


def put_away(folder: Path, step: int, rollout: Rollout, facts: Mapping[str, Any], process: int) -> Path:
    """Write a rollout, `facts` about it and its images; all but the last few rollouts are removed."""
    place = RunFolder(folder).skipped
    place.mkdir(exist_ok=True)
    name = f"{step_name(step)}-process-{process}"
    modules.write_tensors(place / f"{name}.safetensors", dict(tensors_in(rollout)))
    durable.write_json(place / f"{name}.json", {**facts, "prompts": rollout.prompts.text})
    save_grid(place / f"{name}.png", rollout.images.nan_to_num(), rollout.prompts.text)
    older = sorted({path.stem for path in place.glob(f"step-*-process-{process}.*")})[:-KEPT]
    for path in (path for path in list(place.iterdir()) if path.stem in older):
        path.unlink()
    return place / f"{name}.safetensors"


def tensors_in(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a record and of the records in it, by its path."""
    if isinstance(value, Tensor):
        yield path, value.detach().cpu().clone()
        return
    parts: Mapping[Any, Any] = {}
    if is_dataclass(value):
        parts = vars(value)
    elif isinstance(value, tuple):
        parts = dict(enumerate(value))
    for name, part in parts.items():
        yield from tensors_in(part, f"{path}.{name}" if path else str(name))
