"""The canaries of two runs at each validation: the quickstart, and the quickstart with brightness as its only reward.

python docs/experiments/canaries.py --out runs/canaries
"""

import argparse
import json
from pathlib import Path

from margrpo.recipe import load
from margrpo.train.loop import train

RUNS = {"healthy": [], "reward is brightness": ['reward=[{use="brightness"}]', "run.steps=30", "run.eval_every=5"]}
ALSO = ["run.held_out=64", 'tracker=[{use="jsonl"}]', "run.maps=0"]


def validations(folder: Path) -> list[dict[str, float]]:
    """The metrics of the steps with canaries."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if any(name.startswith("canary/") for name in line)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    for name, sets in RUNS.items():
        recipe, folder = load(Path("recipes/quickstart.toml"), [*sets, *ALSO]), given.out / name.replace(" ", "-")
        train(recipe, folder)
        limits = {each: canary.warn for each, canary in zip(names(recipe), recipe.canary, strict=True)}
        print(f"\n{name}: warnings beyond " + ", ".join(f"{each} {limit:g}" for each, limit in limits.items()))
        for line in validations(folder):
            far = {each: line[f"canary/{each}"] for each in limits}
            words = "  ".join(f"{each} {value:.3f}{'!' * (value > limits[each])}" for each, value in far.items())
            print(f"after {line['step'] + 1:2d} steps  reward {line['reward']:.3f}  {words}")


def names(recipe) -> list[str]:  # type: ignore[no-untyped-def]
    """The names of the canaries."""
    return [type(canary).__name__.lower() for canary in recipe.canary]


if __name__ == "__main__":
    main()
