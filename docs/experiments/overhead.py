"""What checkpoints, and `parallel = "ddp"` with one process, cost on the quickstart: run this file.

Steps are done in turn by runs that differ in that alone, because a machine that others share is faster now and slower
then. Each round gives a ratio; the median of them counts. A checkpoint's step is its snapshot, and the step after it,
during which it is written; run.save_every spreads what they cost beyond two plain steps.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch

from margrpo.distributed.single import SingleProcess
from margrpo.recipe import Recipe, load
from margrpo.train.assemble import Session, assemble
from margrpo.train.run import checkpoint
from margrpo.train.run.writer import Writer
from margrpo.train.step import train_step

QUICKSTART = Path(__file__).parents[2] / "recipes" / "quickstart.toml"
EVERY = 10


def timed(work: Callable[[], object]) -> float:
    """The seconds that some work takes."""
    clock = perf_counter()
    work()
    return perf_counter() - clock


def saving(session: Session, writer: Writer, step: int) -> None:
    """Two steps with a checkpoint between them, as the loop makes it."""
    train_step(session, step)
    writer.wait()
    taken = checkpoint.snapshot(session, step + 1, {}, {"versions": {}, "recipe": {}})
    writer.begin(taken.with_state_of({}))
    train_step(session, step + 1)
    writer.check()


def plain(session: Session, step: int) -> None:
    """Two steps."""
    train_step(session, step)
    train_step(session, step + 1)


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rounds", type=int, default=12)
    rounds = given.parse_args().rounds
    torch.set_num_threads(1)
    recipe, spread = load(QUICKSTART), load(QUICKSTART, ["parallel.use=ddp"])
    assert isinstance(recipe, Recipe)
    assert isinstance(spread, Recipe)
    one, other, third = assemble(recipe), assemble(recipe), assemble(spread, spread.parallel.join("cpu"))
    assert isinstance(one.processes, SingleProcess)
    found: dict[str, list[float]] = {"checkpoint": [], "ddp": []}
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder), keep=2, keep_every=None)
        for number in range(-1, rounds):  # the first round warms up
            step = 2 * (number + 1)
            base = timed(lambda step=step: plain(one, step))
            saved = timed(lambda step=step: saving(other, writer, step))
            ddp = timed(lambda step=step: plain(third, step))
            if number >= 0:
                found["checkpoint"].append((saved - base) / (base / 2 * EVERY))
                found["ddp"].append(ddp / base - 1)
        writer.wait()
    third.processes.close()
    for name, shares in found.items():
        low, _, high = statistics.quantiles(shares, n=4)
        print(f"{name}: {statistics.median(shares):+.2%} (quartiles {low:+.2%} to {high:+.2%}, {rounds} rounds)")


if __name__ == "__main__":
    main()
