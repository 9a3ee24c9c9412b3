"""A run of seconds that has everything a run can have to lose, and whether two runs are the same."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from margrpo.components.canary import Distance, Duplicates, HeldOutReward
from margrpo.components.estimator import MultiTrajectory
from margrpo.components.objective import Clipped
from margrpo.components.optimizer import AdamW
from margrpo.components.penalty import GaussianKL
from margrpo.components.prompts.shapes import Shapes
from margrpo.components.reference import Periodic
from margrpo.components.reward.brightness import Brightness
from margrpo.components.selector import Every, Uncertain
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.recipe.schema import Recipe, Run
from margrpo.testing import small
from margrpo.train.run.figures import is_measured


def recipe(weights: Path, *, steps: int = 6, **tables: Any) -> Recipe:
    """Trajectories, a penalty whose reference follows, two updates a rollout, a falling rate; saved at every step."""
    parts = {
        "run": Run(steps=steps, device="cpu", eval_prompts=2, held_out=4, eval_every=2, save_every=1),
        "prompts": Shapes(prompts=4, group=2),
        "selector": Every(),
        "estimator": MultiTrajectory(trajectories=2, where=Uncertain(fraction=0.5)),
        "objective": Clipped(updates=2),
        "penalty": GaussianKL(reference=Periodic(every=2)),
        "canary": (Distance(), Duplicates(), HeldOutReward(of=Brightness())),
        "optimizer": AdamW(lr=1e-3, last=0.1, weight_decay=0.01),
        "tracker": (Jsonl(),),
    }
    return small.recipe(weights, **{**parts, **tables})


def figures(run: Path) -> list[dict[str, Any]]:
    """The figures of every step that are no seconds."""
    every = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if not is_measured(name)} for line in every]


def final(run: Path) -> dict[str, torch.Tensor]:
    """The final weights."""
    return load_file(run / "final" / "policy.safetensors")


def differences(one: Path, other: Path) -> list[str]:
    """What of two finished runs is not the same to the last bit: weights, figures, pictures, result, sums."""
    found = []
    if (one / "final/policy.safetensors").read_bytes() != (other / "final/policy.safetensors").read_bytes():
        found.append("weights")
    if figures(one) != figures(other):
        found.append("figures")
    results = [json.loads((run / "summary.json").read_text()) | {"seconds": 0} for run in (one, other)]
    if results[0] != results[1]:
        found.append("summary")
    counts = [run / "counts.json" for run in (one, other)]  # of a tracker, where there is one
    if counts[0].exists() and counts[0].read_text() != counts[1].read_text():
        found.append("counts")
    for picture in sorted((one / "images").iterdir()):
        if picture.read_bytes() != (other / "images" / picture.name).read_bytes():
            found.append(picture.name)
    return found
