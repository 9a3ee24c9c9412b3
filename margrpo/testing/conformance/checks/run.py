"""Promises of trackers and of ways to spread a run over processes."""

import math
from typing import Any

import torch
from PIL import Image

from margrpo.contracts import TakesHistograms, TakesImages
from margrpo.testing import small
from margrpo.testing.conformance.checks import run_state
from margrpo.testing.conformance.subject import Subject, claim
from margrpo.testing.conformance.work.pieces import require

FIGURES = {"reward": 0.5, "reward/shapes": 0.25, "skipped": 1, "kl": math.nan}


def tracker_takes_a_run(subject: Subject) -> None:
    """A tracker takes a new and a resumed run: figures, finite or not, sentences, and its optional parts."""
    require(subject)
    picture, states = subject.folder / "picture.png", dict[str, Any]()
    Image.new("RGB", (8, 8)).save(picture)
    for start, steps in ((0, 2), (2, 4)):
        track = subject.component.open(subject.folder, "a run", 4, start)
        run_state.take_up(track, states or run_state.saved(track))
        track.say("the run begins")
        for step in range(start, steps):
            track.write(step, FIGURES)
            if isinstance(track, TakesImages):
                track.log_image(step, "held_out", picture)
            if isinstance(track, TakesHistograms):
                track.log_histogram(step, "reward", torch.linspace(0, 1, 5))
        states = run_state.saved(track)
        track.close()


def parallel_alone_is_one_process(subject: Subject) -> None:
    """A single process has rank 0 of 1, and its sums and weights are its own."""
    subject.component.require(1)
    processes = subject.component.join("cpu")
    try:
        claim((processes.rank, processes.world_size) == (0, 1), "alone it is not the first of one")
        model = small.model(small.policy())
        before = [value.clone() for value in model.parameters()]
        processes.wrap(model)
        processes.enter("the check")
        x = torch.tensor([1.0, 2.0])
        claim(torch.equal(processes.all_reduce(x), x), "the sum over one process is not its own number")
        claim(torch.equal(processes.all_gather(x), x[None]), "what is gathered of one process is not its own")
        processes.unshard()
        claim(all(map(torch.equal, before, model.parameters())), "sharing the model among one changes its weights")
    finally:
        processes.close()


CHECKS = {"tracker": (tracker_takes_a_run,), "parallel": (parallel_alone_is_one_process,)}
