"""A run of a small model, with everything that a report shows."""

from pathlib import Path
from typing import Any

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.optimizer import AdamW
from margrpo.components.selector import Consistent, Uncommitted
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.recipe.schema import Run
from margrpo.testing import small
from margrpo.train.loop import train


def run(folder: Path, name: str = "run", **tables: Any) -> Path:
    """Train into a folder in the folder."""
    settings = Run(steps=4, device="cpu", eval_prompts=3, maps=2, held_out=3, eval_every=2, save_every=4)
    parts = {
        "run": settings,
        "title": "A small run",
        "notes": "of a test",
        "optimizer": AdamW(lr=1e-3),
        "selector": Consistent(within=Uncommitted()),
        "estimator": MultiTrajectory(trajectories=3),
        "tracker": (Jsonl(),),
    }
    train(small.recipe(folder, **{**parts, **tables}), folder / name)
    return folder / name
