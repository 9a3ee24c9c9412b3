"""The tables of docs/performance.md, from `margrpo bench`.

`python docs/experiments/performance.py --machine cpu` measures MAR-B on this machine, keeps the figures in
performance_cpu.json and writes their tables; `--machine gpu` does so for MAR-L on a GPU.
"""

import argparse
import json
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
        "scaling": ("scaling", "mar_base", "--images", "1", "--ar-steps", "2"),
        "rollout": ("rollout", "mar_base", "--set", "guidance.use=constant", "--images", "4", "--ar-steps", "16"),
        "head": ("head", "mar_base", "--images", "1"),
    },
    "gpu": {
        "K = 5": (*GPU_STEP, "--trajectories", "5"),
        "K = 5, xformers": (*GPU_STEP, "--trajectories", "5", "--set", "attention.use=xformers"),
        "K = 5, compiled": (*GPU_STEP, "--trajectories", "5", "--set", "run.compile=true"),
        "K = 5, head in plain float32": (*GPU_STEP, "--trajectories", "5", "--set", "run.tf32=false"),
        "K = 32": (*GPU_STEP, "--trajectories", "32"),
        "K = 32, compiled": (*GPU_STEP, "--trajectories", "32", "--set", "run.compile=true"),
        "4 images against dense": (*GPU_STEP, "--trajectories", "5", "--images", "4", "--against", "dense"),
        "rollout without a record": ("rollout", "mar_large", *GPU_SETS),
        "rollout without a record, compiled": ("rollout", "mar_large", *GPU_SETS, "--set", "run.compile=true"),
        "rollout with a record": ("rollout", "mar_large", *GPU_SETS, "--training"),
        "rollout with a record, compiled": (
            *("rollout", "mar_large", *GPU_SETS, "--training"),
            *("--set", "run.compile=true"),
        ),
    },
}


def measure(machine: str, out: Path, wanted: list[str], repeats: int) -> dict[str, dict]:
    """Run the cases, each in a process of its own, and keep what they say beside this script."""
    found = read(machine) if figures_of(machine).exists() else {}
    for number, (name, (command, recipe, *words)) in enumerate(CASES[machine].items()):
        if wanted and name not in wanted:
            continue
        to, began = out / f"{machine}-{number}.json", perf_counter()
        line = [sys.executable, "-m", "margrpo", "bench", command, str(RECIPES / f"{recipe}.toml"), "--random-weights"]
        line += [*words, "--repeats", str(repeats), "--json", str(to)]
        print("$", " ".join(line[1:]), flush=True)
        done = subprocess.run(line, check=False)
        print(f"exit code {done.returncode} after {perf_counter() - began:.0f} s", flush=True)
        if done.returncode == 0:
            found[name] = json.loads(to.read_text())
            figures_of(machine).write_text(json.dumps(found, indent=1) + "\n")
    return found


def figures_of(machine: str) -> Path:
    """The file of all figures of a machine."""
    return HERE / f"performance_{machine}.json"


def read(machine: str) -> dict[str, dict]:
    """The figures of every case."""
    return json.loads(figures_of(machine).read_text())


def tables_of_cpu(found: dict[str, dict]) -> str:
    """What `margrpo bench` said of MAR-B on a CPU."""
    step, rollout, head, scaling = (found[name] for name in ("step", "rollout", "head", "scaling"))
    machine, dense = step["machine"], step["dense"]
    lines = [
        f"{machine['name']}, {machine['threads']} threads, torch {machine['torch']}, float32. Large matrix products "
        f"ran at {machine['matmul_peak'] / 1e9:,.0f} GFLOP/s beside the update and at "
        f"{rollout['machine']['matmul_peak'] / 1e9:,.0f} beside the rollout.",
        "",
        "| what | seconds | GFLOP | by formula | of the peak | peak memory |",
        "|---|---:|---:|---:|---:|---:|",
        row("the update: 1 image, 1 AR step, 10 diffusion steps, K = 5", step, step["counts"]["flops_by_formula"]),
        *(part_row(name, part) for name, part in step["parts"].items() if part["flops"] > 1e9),
        row("the same the plain way", dense),
        row("a rollout: 4 images, 16 AR steps, 25 diffusion steps, guidance 3", rollout),
        *(part_row(name, part) for name, part in rollout["parts"].items() if part["flops"] > 1e9),
        "",
        f"Against the plain way: **{step['speedup']:.1f} times faster** with **{step['memory_ratio']:.2f} of the "
        f"memory**; the loss differs by {step['loss_relative_error']:.0e}, the gradient by "
        f"{step['gradient_relative_error']:.0e} of its norm. Of the rollout's FLOPs in backbone and head, "
        f"{rollout['useful_share']:.1%} are needed by formula.",
        "",
        "The update as one size grows (1 image, 2 trained AR steps; ratios are to the first of each; other work ran "
        "beside it):",
        "",
        "| | seconds | ratio | GFLOP | peak memory | ratio | head evaluations |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *scaling_rows(scaling["points"]),
        "",
        "One diffusion step of the head on the 256 tokens of an image, forwards and backwards:",
        "",
        "| K | seconds | GFLOP | of the peak |",
        "|---:|---:|---:|---:|",
    ]
    for chains, each in head["chains"].items():
        lines.append(f"| {chains} | {each['seconds']:.2f} | {each['flops'] / 1e9:,.0f} | {each['peak_share']:.0%} |")
    return "\n".join(lines)


def row(name: str, found: dict, formula: float | None = None) -> str:
    """A line of the table."""
    gflop, memory = found["flops"] / 1e9, found["peak_bytes"] / 1e9
    predicted = "" if formula is None else f"{formula / 1e9:,.0f}"
    line = f"| {name} | {found['seconds']:.2f} | {gflop:,.0f} | {predicted}"
    return f"{line} | {found['peak_share']:.0%} | {memory:.2f} GB |"


def part_row(name: str, part: dict) -> str:
    """A line for a part."""
    return f"| – {name} | {part['seconds']:.2f} | {part['flops'] / 1e9:,.0f} | | {part['peak_share']:.0%} | |"


def scaling_rows(points: list[dict]) -> list[str]:
    """A line for each size."""
    first, lines = {}, []
    for each in points:
        least = first.setdefault(each["varied"], each)
        slower, larger = (each[key] / least[key] for key in ("seconds", "peak_bytes"))
        lines.append(
            f"| {each['varied']} = {each['value']:,} | {each['seconds']:.2f} | {slower:.2f} "
            f"| {each['flops'] / 1e9:,.0f} | {each['peak_bytes'] / 1e9:.2f} GB | {larger:.2f} "
            f"| {each['head_evaluations']:,} |"
        )
    return lines


def tables_of_gpu(found: dict[str, dict]) -> str:
    """The same of MAR-L on a GPU."""
    machine = next(iter(found.values()))["machine"]
    plain = next(each["machine"] for name, each in found.items() if "float32" in name)
    lines = [
        f"{machine['name']}, torch {machine['torch']}; backbone in bfloat16, head in float32 with TensorFloat-32 "
        f"unless the line says otherwise. Large matrix products: {machine['matmul_peak_backbone'] / 1e12:,.0f} "
        f"TFLOP/s in bfloat16, {machine['matmul_peak'] / 1e12:,.0f} in TensorFloat-32, "
        f"{plain['matmul_peak'] / 1e12:,.0f} in float32.",
        "",
        "| MAR-L, 16 images | seconds | backbone | head | TFLOP | MFU | peak memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, each in found.items():
        parts = {part: value["seconds"] for part, value in each["parts"].items()}
        backbone = parts["backbone"] + parts.get("backbone's backward", 0.0)
        head, counted = parts["head"] + parts.get("trajectories", 0.0), same_work(found, name)
        flops, share = (f"{counted['flops'] / 1e12:,.0f}", each["peak_share"])
        share *= counted["flops"] / each["flops"]
        what = name if name.startswith("rollout") else f"update, {name}"
        lines.append(
            f"| {what} | {each['seconds']:.2f} | {backbone:.2f} | {head:.2f} | {flops} | {share:.0%} | "
            f"{each['peak_bytes'] / 1e9:.1f} GB |"
        )
    return "\n".join(lines)


def same_work(found: dict[str, dict], name: str) -> dict:
    """Where the operations of a case were counted: torch's counter sees neither CUDA graphs nor xformers' attention."""
    return found[name.removesuffix(", compiled").removesuffix(", xformers")]


TABLES = {"cpu": tables_of_cpu, "gpu": tables_of_gpu}


def renewed(page: str, machine: str) -> str:
    """The page with the table of a machine as its figures say."""
    begin, end = f"<!-- table {machine}: written by performance.py -->", "<!-- end of table -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{TABLES[machine](read(machine))}\n{end}{after}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", choices=sorted(CASES), required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/performance"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    if not given.only_table:
        given.out.mkdir(parents=True, exist_ok=True)
        measure(given.machine, given.out, given.cases, given.repeats)
    PAGE.write_text(renewed(PAGE.read_text(), given.machine))


if __name__ == "__main__":
    main()
