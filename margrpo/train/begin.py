"""The begin of a run: its folder is locked, what is there is checked, and everything is built."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import tomlkit
import torch

from margrpo.recipe import Recipe, unstructure
from margrpo.records import Prompts
from margrpo.run_folder import RunFolder
from margrpo.train.assemble import Session, device_of
from margrpo.train.run import durable, occupied, resume
from margrpo.train.run.memory import RunMemory
from margrpo.train.run.run_state import stateful, warning
from margrpo.train.run.trackers import Trackers
from margrpo.train.run.versions import versions
from margrpo.train.training_run import TrainingRun
from margrpo.train.verdict.scorers import Scorers
from margrpo.train.verify import verify_resume


def begin(
    recipe: Recipe, folder: Path, stack: ExitStack, *, allowed: Iterable[str], verify: bool
) -> TrainingRun | dict[str, Any]:
    """The run in the folder, new or resumed, or the summary of one that has finished; `stack` closes what is opened."""
    held_out, resolved = recipe.prompts.held_out(), unstructure(recipe)
    occupied.check(folder)
    processes = recipe.parallel.join(device_of(recipe.run.device))
    stack.callback(processes.close)
    if processes.rank == 0:
        stack.enter_context(occupied.occupied(folder))
    if occupied.holds_run(folder):
        resume.check_same(folder, resolved, allowed)
    start = resume.start_of(folder, processes)
    finished = occupied.summary(folder)
    if finished is not None and finished["steps"] == recipe.run.steps:
        return finished
    notes = [*start.notes, *([verify_resume(recipe, folder, processes)] if verify else [])]
    session = start.assembled(recipe, processes)
    check_prompts(session, held_out, start.step)
    trackers = Trackers(rank=processes.rank)
    if processes.rank == 0:
        describe(recipe, folder)
        trackers = Trackers.of(recipe, folder, start.step, stack)
    parts = stateful(session, trackers.opened)
    memory = RunMemory(**start.remembered(session, parts))
    run = TrainingRun(session, folder, start.step, trackers=trackers, memory=memory, parts=parts, held_out=held_out)
    for note in (*notes, warning(parts, processes.world_size)):
        if note:
            trackers.say(note)
    return run


def describe(recipe: Recipe, folder: Path) -> None:
    """Write the recipe and the versions of the libraries into the run folder."""
    files = RunFolder(folder)
    files.images.mkdir(exist_ok=True)
    durable.write_text(files.recipe, tomlkit.dumps(unstructure(recipe)))
    durable.write_json(files.versions, versions())


@torch.no_grad()
def check_prompts(session: Session, held_out: Prompts, start: int) -> None:
    """Let policy and rewards read every prompt of the steps to come, so that an unreadable one is refused at once."""
    source, run = session.recipe.prompts, session.recipe.run
    refuse_unreadable(session, held_out, session.measure)
    for step in range(start, run.steps):
        refuse_unreadable(session, source.draw(step, run.seed), session.scorers)


def refuse_unreadable(session: Session, prompts: Prompts, scorers: Scorers) -> None:
    """Raise `DataError` for a prompt that the policy cannot express or that lacks what a reward reads."""
    for reward in scorers:
        reward.refuse_unreadable(prompts)
    session.model.prefix(prompts.to(session.pipeline.device))
