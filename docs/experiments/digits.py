"""Tune recipes/digits.toml for several seeds and write the table of docs/digits.md.

`python docs/experiments/digits.py --out runs/digits` runs what is not there yet, then draws the held-out images of
each seed once more with the weights before and after, and looks at them in more ways than a run's summary.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from margrpo.components.reward.digits import Digits
from margrpo.recipe import load
from margrpo.train.assemble import pipeline_of
from margrpo.train.verdict.scorers import build_rewards
from margrpo.train.watch.held_out import validate
from margrpo.worlds import digits

DOCS = Path(__file__).parents[1]
RECIPE = DOCS.parent / "recipes" / "digits.toml"
BEGIN, END = "<!-- table: written by experiments/digits.py -->", "<!-- end of table -->"
ROWS = {
    "accuracy": "accuracy by the judge",
    "rewarded": "accuracy by the classifier that rewards",
    "reward": "reward: log-probability, nats",
    "sure": "judge's share of votes for its first guess",
    "near": "distance to the nearest digit that the judge learned from",
    "spread": "distance between two images of one label",
    "kin": "distance between two images of one label that the judge reads right",
}


def train(seed: int, folder: Path) -> None:
    """One run in a process of its own, unless its summary is there."""
    if (folder / "summary.json").exists():
        return
    command = [sys.executable, "-m", "margrpo", "train", str(RECIPE)]
    command += ["--set", f"run.seed={seed}", "--out", str(folder)]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)


def drawn(seed: int, sets: list[str]) -> dict[str, float]:
    """The figures of the held-out images of this seed."""
    recipe = load(RECIPE, sets)
    seen = validate(
        pipeline_of(recipe),
        recipe.prompts.held_out(),
        build_rewards((Digits(classifier="judge", by="accuracy"),), "cpu"),
        seed,
    )
    scores = {"rewarded": Digits(by="accuracy"), "reward": Digits()}
    by_reward = {name: float(each.score(seen.images, seen.prompts).mean()) for name, each in scores.items()}
    images = seen.images.double().mean(1).flatten(1)
    return {"accuracy": float(seen.scores.mean()), **by_reward, **shape(images, seen.prompts.label, seen.scores > 0)}


def shape(images: torch.Tensor, label: torch.Tensor, right: torch.Tensor) -> dict[str, float]:
    """What can be said of images apart from whether they are the digit that was asked for."""
    known = torch.from_numpy(digits.part("judge").images)
    return {
        "sure": float(digits.classified(images.numpy(), "judge").max(1).mean()),
        "near": float(torch.cdist(images, known).min(1).values.mean()),
        "spread": spread(images, label),
        "kin": spread(images[right], label[right]),
    }


def spread(images: torch.Tensor, label: torch.Tensor) -> float:
    """The mean Euclidean distance between two images of a label, averaged over labels."""
    return sum(float(torch.pdist(images[label == digit]).mean()) for digit in range(10)) / 10


def real() -> dict[str, float]:
    """The same figures of the real digits that the generator learned from."""
    part = digits.part("generator")
    images, label = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    right = torch.from_numpy(digits.classified(part.images, "judge").argmax(1)) == label
    by_reward = torch.from_numpy(digits.classified(part.images, "reward"))
    return {
        "accuracy": float(right.double().mean()),
        "rewarded": float((by_reward.argmax(1) == label).double().mean()),
        "reward": float(Digits().opinion(by_reward, label).mean()),
        **shape(images, label, right),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """The table in Markdown: before and after for each seed, and the real digits."""
    seeds = range(len(runs))
    lines = [
        f"| {' | '.join(['what', *(f'seed {seed}' for seed in seeds), 'real digits'])} |",
        "|---" * (len(runs) + 2) + "|",
    ]
    actual = real()
    for key, what in ROWS.items():
        cells = [f"{run['before'][key]:.3f} → {run['after'][key]:.3f}" for run in runs]
        lines.append(f"| {' | '.join([what, *cells, f'{actual[key]:.3f}'])} |")
    gains = [f"{run['held_out']['difference']:+.3f} ({interval(run['held_out']['ci95'])})" for run in runs]
    lines.append(f"| {' | '.join(['gain by the judge, 95 % interval', *gains, ''])} |")
    lines.append(f"| {' | '.join(['seconds of training', *(f'''{run['seconds']:.0f}''' for run in runs), ''])} |")
    return "\n".join(lines)


def interval(ends: list[float]) -> str:
    """From and to."""
    return f"{ends[0]:.3f} to {ends[1]:.3f}"


def main() -> None:
    """Run, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/digits"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    runs = []
    for seed in range(options.seeds):
        folder = options.out / f"digits-{seed}"
        train(seed, folder)
        tuned = f"policy.checkpoint={folder / 'final' / 'policy.safetensors'}"
        summary = json.loads((folder / "summary.json").read_text())
        runs.append({**summary, "before": drawn(seed, []), "after": drawn(seed, [tuned])})
    page = DOCS / "digits.md"
    block = f"{BEGIN}\n\n{table(runs)}\n\n{END}"
    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: block, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
