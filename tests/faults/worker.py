"""One process of a run, started by torchrun: `torchrun … -m tests.faults.worker OUT PARALLEL [TROUBLE]`.

It keeps the images that its reward sees. TROUBLE is "dies" or "hangs", which befalls process 1 at step 3 of the first
attempt, or "unsummed": gradients are left as they are.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
import typer

from margrpo import Entry, hookimpl
from margrpo.cli.exits import exit_without_finalising, with_error_report
from margrpo.cli.signals import stopping
from margrpo.components.parallel import Ddp, Fsdp, Single
from margrpo.components.reward.brightness import Brightness
from margrpo.declare import component, setting
from margrpo.distributed.ddp import DdpProcesses
from margrpo.plugin.registry import registry
from margrpo.records import Prompts, Traits
from margrpo.train.loop import train
from tests.faults import runs

TIMEOUT = 10.0
PARALLEL = {"single": Single(), "ddp": Ddp(timeout=TIMEOUT), "fsdp": Fsdp(timeout=TIMEOUT)}


@component
class Keeping:
    """Brightness, which keeps the images that it is shown and may come to harm."""

    traits = Traits()
    weight: float = setting(1.0)
    folder: str = setting("")
    trouble: str = setting("")

    def build(self, device: str) -> "Keeping":
        return self

    def score(self, images: torch.Tensor, prompts: Prompts) -> torch.Tensor:
        rank, number = os.environ.get("RANK", "0"), self.__dict__.setdefault("calls", [])
        number.append(0)
        if Path(self.folder).is_dir():
            torch.save((prompts.keys, images.clone()), Path(self.folder) / f"{len(number):03}-{rank}.pt")
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
        if self.trouble in ("dies", "hangs") and rank == "1" and first and len(number) == 4:
            if self.trouble == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(3600)
        return Brightness().score(images, prompts)


@hookimpl
def margrpo_components() -> list[Entry]:
    return [Entry("reward.keeping", f"{Keeping.__module__}:Keeping", "brightness, and keeps the images")]


@with_error_report
def main(out: str, parallel: str, trouble: str = "", steps: str = "6") -> None:
    """Train."""
    torch.set_num_threads(1)
    registry().register(sys.modules[margrpo_components.__module__], "worker", distribution="margrpo")
    parts: dict[str, Any] = {
        "reward": (Keeping(folder=str(Path(out).parent / f"{Path(out).name}-images"), trouble=trouble),),
        "measure": Brightness(),
        "parallel": PARALLEL[parallel],
    }
    if trouble == "dies" and os.environ["TORCHELASTIC_RESTART_COUNT"] != "0" and os.environ["RANK"] == "0":
        time.sleep(1)  # the other one comes first, and finds what the attempt before has left in the store
    if trouble == "unsummed":
        DdpProcesses.summing = lambda self, touch: touch  # type: ignore[method-assign]
    allowed = ("parallel", "reward", "run.steps")
    with stopping("stopping") as stopped:
        recipe = runs.recipe(Path(out).parent / "weights", steps=int(steps), **parts)
        summary = train(recipe, Path(out), stopped=stopped, allowed=allowed)
    sys.exit(0 if summary else 75)


def command() -> None:
    """Train, and end as the command line does."""
    try:
        main(*sys.argv[1:])
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


if __name__ == "__main__":
    exit_without_finalising(command)
