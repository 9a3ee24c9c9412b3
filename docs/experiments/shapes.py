"""Run every recipe of recipes/shapes for several seeds and write the table and plot of docs/experiments/shapes.md.

`python docs/experiments/shapes.py --out runs/experiments` runs what is not there yet, then writes; with `--no-run` it
only writes.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
RECIPES = HERE.parent.parent / "recipes" / "shapes"
ORDER = (
    "vanilla_grpo",
    "single",
    "mte_all",
    "mte_uncertain",
    "mte_uncertain_consistent",
    "rao_blackwell",
    "weighting_density",
    "weighting_std",
    "mar_grpo",
    "gradient_and_distillation",
)
BEGIN, END = "<!-- table: written by shapes.py -->", "<!-- end of table -->"


def train(name: str, seed: int, out: Path) -> None:
    """One run in a process of its own, unless its summary is there."""
    folder = out / f"{name}-{seed}"
    if (folder / "summary.json").exists():
        return
    command = [sys.executable, "-m", "margrpo", "train", str(RECIPES / f"{name}.toml")]
    command += ["--set", f"run.seed={seed}", "--out", str(folder)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    print(f"{folder.name}: {'done' if done.returncode == 0 else done.stderr[-500:]}", flush=True)


def figures(name: str, seed: int, out: Path) -> dict:
    """What one run showed."""
    folder = out / f"{name}-{seed}"
    summary = json.loads((folder / "summary.json").read_text())
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    norms = sorted(line["gradient_norm"] for line in metrics)
    return {
        "held_out": summary["held_out"],
        "kl": summary["kl"],
        "seconds": summary["seconds"],
        "gradient_norm": [norms[len(norms) // 10], statistics.median(norms), norms[-1 - len(norms) // 10]],
        "watched": [[line["step"] + 1, line["held_out"]] for line in metrics if "held_out" in line],
    }


def row(name: str, runs: list[dict]) -> str:
    """One line of the table: means over seeds, with every seed's score after."""
    title = tomllib.loads((RECIPES / f"{name}.toml").read_text())["title"]
    after = [run["held_out"]["after"] for run in runs]
    gain = statistics.mean(run["held_out"]["difference"] for run in runs)
    low, middle, high = (statistics.mean(run["gradient_norm"][place] for run in runs) for place in range(3))
    kl = statistics.mean(run["kl"] for run in runs)
    each = ", ".join(f"{value:.3f}" for value in after)
    mean = statistics.mean(after)
    return (
        f"| `{name}` | {title} | {mean:.3f} ({each}) | {gain:+.3f} "
        f"| {middle:.2g} ({low:.2g} to {high:.2g}) | {kl:.3g} |"
    )


def table(results: dict[str, list[dict]]) -> str:
    """The table in Markdown."""
    scores = [run["held_out"] for run in next(iter(results.values()))]
    before = ", ".join(f"{score['before']:.3f}" for score in scores)
    head = (
        "recipe",
        "what",
        "strict score after: mean (each seed)",
        "gain",
        "gradient norm: median (10 to 90 %)",
        "KL",
    )
    lines = [
        f"Before training: {before} for the {len(scores)} seeds, on {scores[0]['prompts']} held-out prompts.",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    return "\n".join([*lines, *(row(name, runs) for name, runs in results.items())])


def plot(results: dict[str, list[dict]], path: Path) -> None:
    """The watched score over steps, a line for the mean over seeds and a band from the lowest to the highest."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5), layout="constrained")
    for place, (name, runs) in enumerate(results.items()):
        steps = [step for step, _ in runs[0]["watched"]]
        columns = list(zip(*([score for _, score in run["watched"]] for run in runs), strict=True))
        mean = [statistics.mean(column) for column in columns]
        colour = f"C{place}"
        style = "-" if place < 10 else "--"
        axes.plot(steps, mean, style, color=colour, label=name)
        axes.fill_between(steps, [min(c) for c in columns], [max(c) for c in columns], color=colour, alpha=0.1, lw=0)
    axes.set(xlabel="update", ylabel="held-out strict score (watched prompts)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=120)


def write(results: dict[str, list[dict]]) -> None:
    """Table into shapes.md between its markers, figures into shapes.json, plot into shapes.png."""
    page = HERE / "shapes.md"
    block = f"{BEGIN}\n\n{table(results)}\n\n{END}"
    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: block, text, flags=re.S), encoding="utf-8")
    (HERE / "shapes.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    plot(results, HERE / "shapes.png")


def main() -> None:
    """Run, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/experiments"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-run", action="store_true")
    parser.add_argument("--only", nargs="*", default=ORDER)
    options = parser.parse_args()
    jobs = [(name, seed, options.out) for seed in range(options.seeds) for name in options.only]
    if not options.no_run:
        with ThreadPoolExecutor(options.processes) as pool:
            list(pool.map(lambda job: train(*job), jobs))
    done = {
        name: [figures(name, seed, options.out) for seed in range(options.seeds)]
        for name in ORDER
        if all((options.out / f"{name}-{seed}" / "summary.json").exists() for seed in range(options.seeds))
    }
    write(done)


if __name__ == "__main__":
    main()
