"""Kill runs with SIGKILL at random instants, let them go on, and compare them with one that was never killed.

`python -m tests.faults.kills --kills 50 --out DIR` prints what it found as JSON. Each run is a fork of this process,
which has done a step before and so has loaded every module.
"""

import argparse
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import torch

from margrpo.components.canary import Distance, Duplicates, HeldOutReward
from margrpo.components.reward.brightness import Brightness
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.plugin.registry import registry
from margrpo.train.loop import train
from tests.faults import runs
from tests.train import remembering
from tests.train.remembering import Aging, Around, Counting, Sums
from tests.waiting import PATIENCE

WEIGHTS = "weights"
LOOKS = 200_000
"""How often at most is looked for a checkpoint that is being written, half a millisecond apart."""
REMEMBERING = {
    "measure": Around(of=Counting()),
    "canary": (Distance(), Duplicates(), HeldOutReward(of=Brightness()), Aging()),
    "tracker": (Jsonl(), Sums()),
}
"""Components of a plugin, of whose figures each depends on all that the component has seen in the run."""


def fork(out: Path, name: str) -> int:
    """Begin a run, or go on with it, in a process of its own."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        train(runs.recipe(out / WEIGHTS, **REMEMBERING), out / name)
        os._exit(0)
    except BaseException as error:
        print(f"{name}: {type(error).__name__}: {error}", flush=True)  # noqa: T201
        os._exit(1)


def ended(child: int, within: float) -> int | None:
    """The exit status of a process that ends in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            return status
        time.sleep(0.0005)
    return None


def writing(run: Path) -> bool:
    """Whether a checkpoint is being written."""
    return any(run.glob("checkpoints/*.partial"))


def killed(child: int) -> None:
    """End a process at once."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def kill_while_writing(child: int, run: Path, step: int) -> bool:
    """Kill a process while it writes the checkpoint of a step, or later; whether it was still there."""
    partial = run / "checkpoints" / f"step-{step:06d}.partial"
    for _ in range(LOOKS):
        if ended(child, 0.0005) is not None:
            return False
        if partial.exists():
            break
    killed(child)
    return True


def kill_at(child: int, instant: float) -> bool:
    """Kill a process after so many seconds; whether it was still there."""
    if ended(child, instant) is not None:
        return False
    killed(child)
    return True


def main() -> None:
    """Kill and compare: every other run while it writes a checkpoint."""
    given = argparse.ArgumentParser()
    given.add_argument("--kills", type=int, default=50)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--out", type=Path, required=True)
    asked = given.parse_args()
    registry().register(remembering, "remembering", distribution="margrpo")
    (asked.out / WEIGHTS).mkdir(parents=True)
    train(runs.recipe(asked.out / WEIGHTS, steps=1), asked.out / "loads everything")
    clock, chance = time.monotonic(), random.Random(asked.seed)
    assert ended(fork(asked.out, "unbroken"), PATIENCE) == 0
    takes = time.monotonic() - clock
    found: dict[str, Any] = {"kills": 0, "while writing": 0, "equal": 0, "different": []}
    for number in range(1, 10 * asked.kills):
        if found["kills"] == asked.kills:
            break
        run, child = asked.out / f"run-{number}", fork(asked.out, f"run-{number}")
        if number % 2:
            hit = kill_at(child, chance.uniform(0, takes))
        else:
            hit = kill_while_writing(child, run, chance.randint(1, 6))
        if not hit:
            continue
        found["kills"] += 1
        found["while writing"] += writing(run)
        status = ended(fork(asked.out, run.name), PATIENCE)
        what = runs.differences(asked.out / "unbroken", run) if status == 0 else ["did not end well"]
        found["equal"] += not what
        found["different"] += [f"{run.name}: {', '.join(what)}"] if what else []
    print(json.dumps({**found, "seconds of a run": round(takes, 2)}))  # noqa: T201


if __name__ == "__main__":
    main()
