"""One update of MAR-B and MAR-L at full size from random weights: minutes, peak memory, and where the time went.

`python docs/experiments/full_size.py --out runs/full_size` runs both on this machine and writes the table of
docs/experiments/full_size.md. Nothing is downloaded. What is measured is the command of a user: `margrpo train` with
fewer prompts, AR steps and diffusion steps.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

HERE = Path(__file__).parent
RECIPES = HERE.parent.parent / "recipes"
BEGIN, END = "<!-- table: written by full_size.py -->", "<!-- end of table -->"
SETS = (
    *("policy.weights=random", "codec.weights=random"),
    *("prompts.prompts=2", "prompts.group=2", "unmasking.steps=4", "sampler.steps=10"),
    *("timesteps.ar_steps=4", "timesteps.transitions=9"),
    *("run.steps=1", "run.eval_prompts=1", "run.held_out=2", "run.eval_every=1000"),
)
MOMENTS = {
    "loading and assembling": "the run's folder",
    "held-out score before (2 images)": "held-out score before",
    "the first rollout, and its replay": "replay parity",
    "the rest of the step": "step 1/1",
}
"""What has been done when a line of the run begins so."""


def train(size: str, out: Path) -> dict[str, object]:
    """One run in a process of its own: seconds of each part, seconds in all, and peak resident bytes."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "margrpo",
        "train",
        str(RECIPES / f"mar_{size}.toml"),
        "--out",
        str(out / size),
    ]
    command += [part for each in SETS for part in ("--set", each)]
    shutil.rmtree(out / size, ignore_errors=True)  # what an earlier measurement left there
    print("$", " ".join(command), flush=True)
    began, parts, waiting = perf_counter(), {}, dict(MOMENTS)
    last = began
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        print(f"{perf_counter() - began:8.1f} s  {line}", end="", flush=True)
        reached = next((what for what, words in waiting.items() if line.strip().startswith(words)), None)
        if reached:
            parts[reached], last = perf_counter() - last, perf_counter()
            del waiting[reached]
    _, status, usage = os.wait4(process.pid, 0)
    if status or waiting:
        raise SystemExit(f"mar_{size}: ended with status {status}; not seen: {', '.join(waiting) or 'nothing'}")
    parts["score after, pictures, weights"] = perf_counter() - last
    (figures,) = [json.loads(line) for line in (out / size / "metrics.jsonl").read_text().splitlines()]
    unit = 1 if sys.platform == "darwin" else 1024
    return {"parts": parts, "seconds": perf_counter() - began, "peak": usage.ru_maxrss * unit, "figures": figures}


def table(found: dict[str, dict[str, object]]) -> str:
    """The figures as Markdown, a column for each size."""
    rows = [("", *(f"MAR-{size[0].upper()}" for size in found)), ("---", *("---:" for _ in found))]
    for part in next(iter(found.values()))["parts"]:
        rows.append((part, *(f"{each['parts'][part]:.0f} s" for each in found.values())))
        if part == "the rest of the step":
            for key in ("collect", "judge", "learn"):
                rows.append((f"– {key}", *(f"{each['figures'][f'seconds/{key}']:.1f} s" for each in found.values())))
    rows.append(("**in all**", *(f"**{each['seconds'] / 60:.1f} min**" for each in found.values())))
    rows.append(("**peak memory (resident)**", *(f"**{each['peak'] / 2**30:.1f} GiB**" for each in found.values())))
    for name in ("head_evaluations", "gradient_norm"):
        rows.append((name, *(f"{each['figures'][name]:,.6g}" for each in found.values())))
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    command = "margrpo train recipes/mar_large.toml \\\n    " + " ".join(f"--set {each}" for each in SETS)
    where = f"{os.cpu_count()} CPU cores ({platform.machine()}), float32, one run each"
    return f"```\n{command}\n```\n\n{lines}\n\n{where}."


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/full_size"))
    parser.add_argument("--sizes", nargs="+", default=["base", "large"])
    parser.add_argument("--write", action="store_true", help="put the table into full_size.md")
    given = parser.parse_args()
    found = {size: train(size, given.out) for size in given.sizes}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "figures.json").write_text(json.dumps(found, indent=1))
    print(table(found))
    if given.write:
        page = HERE / "full_size.md"
        head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        tail = rest.partition(END)[2]
        page.write_text(f"{head}{BEGIN}\n{table(found)}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
