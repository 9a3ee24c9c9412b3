import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from margrpo.train.run import checkpoint, manifest
from tests.faults import runs
from tests.faults.count import cases
from tests.waiting import started, wait_for

ROOT = Path(__file__).parents[2]
TOLERANCE = 0.02
"""Of the way that training moved the weights: how far sums in another order may lead, by Adam's normalised steps."""
every_fault = pytest.mark.skipif(cases(0, 1) == 0, reason="MARGRPO_FAULTS=every")
Done = subprocess.CompletedProcess[str]


def torchrun(words: Sequence[object], *, processes: int = 2, options: Sequence[str] = ("--standalone",)) -> "list[str]":
    """The command that starts so many workers; a single process needs no torchrun."""
    worker = ("-m", "tests.faults.worker", *map(str, words))
    if "single" in words:
        return [sys.executable, *worker]
    return [sys.executable, "-m", "torch.distributed.run", *options, f"--nproc-per-node={processes}", *worker]


def run(*words: object, processes: int = 2, options: Sequence[str] = ("--standalone",)) -> Done:
    """Start workers, and wait for them."""
    command, environment = torchrun(words, processes=processes, options=options), {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=300)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    runs.recipe(folder / "weights")  # so that no process has to write the weights
    return folder


@pytest.fixture(scope="module")
def alone(here: Path) -> Path:
    """A run of one process."""
    return trained(here, "alone", "single", processes=1)


@pytest.fixture(scope="module")
def two(here: Path) -> Path:
    """A run of two."""
    return trained(here, "two", "ddp", processes=2)


def trained(here: Path, name: str, parallel: str, *, processes: int) -> Path:
    (here / f"{name}-images").mkdir()
    done = run(here / name, parallel, processes=processes)
    assert done.returncode == 0, done.stderr
    return here / name


def images(run: Path) -> dict[object, torch.Tensor]:
    """Every image that rewards have seen, by the call and the image's key."""
    found: dict[object, torch.Tensor] = {}
    for file in sorted(run.with_name(f"{run.name}-images").iterdir()):
        keys, seen = torch.load(file, weights_only=True)
        found |= {(file.name[:3], key): image for key, image in zip(keys, seen, strict=True)}
    return found


def apart(one: Path, other: Path) -> float:
    """How far the weights of two runs are from each other, as a share of how far the first has moved."""
    (begun,) = (load_file(file) for file in one.with_name("weights").iterdir())
    ours, theirs = runs.final(one), runs.final(other)

    def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
        return float(sum((a[name] - b[name]).double().square().sum() for name in begun)) ** 0.5

    return distance(ours, theirs) / distance(ours, begun)


def same_up_to_the_order_of_sums(one: Path, other: Path) -> None:
    """Whether two runs have the same images, rewards and counts, and figures and weights that differ by rounding."""
    # Before the weights have differed at all, images are the same to the last bit: at the first step.
    first = {key: image for key, image in images(one).items() if key[0] == "001"}
    assert len(first) == 8
    theirs = images(other)
    assert all(torch.equal(image, theirs[key]) for key, image in first.items())
    for mine, yours in zip(runs.figures(one), runs.figures(other), strict=True):
        assert mine == pytest.approx(yours, rel=2e-3, abs=1e-4)
    assert runs.figures(one)[0]["reward"] == runs.figures(other)[0]["reward"]
    assert apart(one, other) < TOLERANCE


@pytest.mark.parametrize(
    ("parallel", "processes"),
    [
        ("ddp", 2),
        ("fsdp", 2),
        pytest.param("ddp", 3, marks=every_fault),
        pytest.param("ddp", 4, marks=every_fault),
        pytest.param("fsdp", 4, marks=every_fault),
    ],
)
def test_more_processes_do_the_same_run(
    parallel: str, processes: int, alone: Path, here: Path, request: pytest.FixtureRequest
) -> None:
    if (parallel, processes) == ("ddp", 2):
        other = request.getfixturevalue("two")
    else:
        other = trained(here, f"{parallel}-{processes}", parallel, processes=processes)
    same_up_to_the_order_of_sums(alone, other)


@every_fault
def test_one_process_of_ddp_or_fsdp_is_the_run_of_a_single_one(alone: Path, here: Path) -> None:
    for parallel in ("ddp", "fsdp"):
        other = trained(here, f"{parallel}-1", parallel, processes=1)
        assert all(torch.equal(value, runs.final(other)[name]) for name, value in runs.final(alone).items())


def test_a_process_that_dies_ends_the_job_by_name_and_the_run_goes_on_with_any_number(two: Path, here: Path) -> None:
    done = run(here / "dead", "ddp", "dies")
    assert done.returncode != 0
    assert "process 1 of 2 died or hung in step 3, judging. Process 0 waited" in done.stderr
    *_, newest = checkpoint.all_in(here / "dead" / "checkpoints")
    assert manifest.read(newest)["step"] == 3
    for processes, parallel in ((1, "single"), *cases([], [(4, "fsdp"), (2, "fsdp"), (4, "ddp")])):
        name = f"dead-{parallel}-{processes}"
        shutil.copytree(here / "dead", here / name)
        done = run(here / name, parallel, processes=processes)
        assert done.returncode == 0, done.stderr
        assert apart(two, here / name) < TOLERANCE
        assert len(runs.figures(here / name)) == 6


def test_after_an_elastic_restart_the_job_ends_as_if_nobody_had_died(two: Path, here: Path) -> None:
    done = run(here / "elastic", "ddp", "dies", options=("--standalone", "--max-restarts=2"))
    assert done.returncode == 0, done.stderr
    changed = {
        name for name, value in runs.final(two).items() if not torch.equal(value, runs.final(here / "elastic")[name])
    }
    assert changed == set()
    assert runs.figures(two) == runs.figures(here / "elastic")


def test_gradients_that_are_not_summed_are_noticed_before_the_first_update(here: Path) -> None:
    done = run(here / "unsummed", "ddp", "unsummed")
    assert done.returncode != 0
    assert "the gradients were not summed over the 2 processes: a projection of them is" in done.stderr
    assert not (here / "unsummed" / "metrics.jsonl").read_text()


@every_fault
def test_a_process_that_hangs_ends_the_job_by_name_after_the_timeout(here: Path) -> None:
    done = run(here / "hang", "ddp", "hangs")  # the worker would sleep for an hour
    assert done.returncode != 0
    assert (
        "process 1 of 2 died or hung in step 3, judging. Process 0 waited in step 3, judging for at most 10 s"
        in done.stderr
    )


def test_sigterm_to_all_stops_with_a_checkpoint_and_the_run_goes_on(two: Path, here: Path) -> None:
    command = torchrun((here / "term", "ddp"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with started(command, cwd=ROOT, env=environment) as process:
        wait_for((here / "term" / "metrics.jsonl").exists, "the first step")
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    places = checkpoint.all_in(here / "term" / "checkpoints")
    assert 0 < manifest.read(places[-1])["step"] < 6
    assert run(here / "term", "ddp").returncode == 0
    assert runs.figures(two) == runs.figures(here / "term")


@every_fault
def test_two_machines_do_the_same_run(two: Path, here: Path) -> None:
    """Two agents of torchrun meet on the loopback interface, as those of two machines would."""
    options = ("--nnodes=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:29577", "--rdzv-id=margrpo")
    command = torchrun((here / "nodes", "ddp"), processes=1, options=options)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    agents = [subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    for agent in agents:
        _, said = agent.communicate(timeout=120)
        assert agent.returncode == 0, said.decode()
    assert runs.figures(two) == runs.figures(here / "nodes")
