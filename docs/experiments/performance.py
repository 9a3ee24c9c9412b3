"""The tables of docs/performance.md, from `margrpo bench`.

`python docs/experiments/performance.py --machine cpu --out runs/performance` measures on this machine and writes its
table; `--machine gpu` does so for MAR-L on a GPU. With `--only-table` the figures are read from the folder.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from time import perf_counter

HERE = Path(__file__).parent
PAGE, RECIPES = HERE.parent / "performance.md", HERE.parent.parent / "recipes"
CPU_STEP = ("step", "mar_base", "--images", "1", "--ar-steps", "1")
GPU_SETS = ("--set", "run.device=cuda", "--set", "prompts.prompts=2", "--set", "prompts.group=8")
GPU_STEP = ("step", "mar_large", *GPU_SETS, "--ar-steps", "4")
CASES = {
    "cpu": {
        "step": (*CPU_STEP, "--trajectories", "5", "--against", "dense"),
        "scaling": ("scaling", "mar_base", "--images", "2", "--ar-steps", "2"),
        "rollout": ("rollout", "mar_base", "--set", "guidance.use=constant", "--images", "4", "--ar-steps", "16"),
        "head": ("head", "mar_base", "--images", "1"),
    },
    "gpu": {
        "K = 5": (*GPU_STEP, "--trajectories", "5"),
        "K = 5, xformers": (*GPU_STEP, "--trajectories", "5", "--set", "kernel.use=xformers"),
        "K = 5, compiled": (*GPU_STEP, "--trajectories", "5", "--set", "run.compile=true"),
        "K = 5, head in plain float32": (*GPU_STEP, "--trajectories", "5", "--set", "run.tf32=false"),
        "K = 32": (*GPU_STEP, "--trajectories", "32"),
        "K = 32, compiled": (*GPU_STEP, "--trajectories", "32", "--set", "run.compile=true"),
        "4 images against dense": (*GPU_STEP, "--trajectories", "5", "--images", "4", "--against", "dense"),
        "rollout to look at": ("rollout", "mar_large", *GPU_SETS),
        "rollout to look at, compiled": ("rollout", "mar_large", *GPU_SETS, "--set", "run.compile=true"),
        "rollout to learn from": ("rollout", "mar_large", *GPU_SETS, "--training"),
        "rollout to learn from, compiled": (
            *("rollout", "mar_large", *GPU_SETS, "--training"),
            *("--set", "run.compile=true"),
        ),
    },
}


def file_of(out: Path, name: str) -> Path:
    """Where the figures of a case lie."""
    return out / (name.replace(" ", "_").replace("=", "").replace(",", "") + ".json")


def measure(machine: str, out: Path, wanted: list[str], repeats: int) -> None:
    """Run the cases, each in a process of its own."""
    for name, (command, recipe, *words) in CASES[machine].items():
        if wanted and name not in wanted:
            continue
        line = [sys.executable, "-m", "margrpo", "bench", command, str(RECIPES / f"{recipe}.toml"), "--random-weights"]
        line += [*words, "--repeats", str(repeats), "--json", str(file_of(out, name))]
        print("$", " ".join(line[1:]), flush=True)
        began = perf_counter()
        done = subprocess.run(line, check=False)
        print(f"exit code {done.returncode} after {perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", choices=sorted(CASES), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not given.only_table:
        measure(given.machine, given.out, given.cases, given.repeats)


if __name__ == "__main__":
    main()
