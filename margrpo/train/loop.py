"""`margrpo train`: the loop around the steps."""

import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import tomlkit
import torch

from margrpo.contracts import HasRunState
from margrpo.errors import ParityError, RunError
from margrpo.recipe import Recipe, unstructure
from margrpo.records import Prompts, Rollout
from margrpo.train.assemble import Session, device_of
from margrpo.train.run import checkpoint, durable, resume
from margrpo.train.run import folder as run_folder
from margrpo.train.run.checkpoint import Snapshot
from margrpo.train.run.run_state import stateful
from margrpo.train.run.trackers import Trackers
from margrpo.train.run.writer import Writer
from margrpo.train.step import Outcome, train_step
from margrpo.train.verdict.scorers import Scorers
from margrpo.train.verify import verify_resume
from margrpo.train.watch import non_finite, parity, signal_to_noise
from margrpo.train.watch.canaries import NO_CANARIES
from margrpo.train.watch.validation import Validator
from margrpo.weights import modules


@dataclasses.dataclass
class Memory:
    """What a run must remember over a restart besides weights and the optimizer."""

    before: list[float] | None = None
    seconds: float = 0.0
    norms: list[float] = dataclasses.field(default_factory=list)
    skipped: int = 0


def train(
    recipe: Recipe,
    folder: Path,
    *,
    stopped: Callable[[], bool] = lambda: False,
    allowed: Iterable[str] = (),
    verify: bool = False,
) -> dict[str, Any] | None:
    """Run the recipe into the folder, or go on with the run there; its summary, or None where `stopped` ended it early.

    A run goes on from its newest sound checkpoint. The recipe must be the run's own, but for the `allowed` keys. With
    `verify` a recorded step is done again first, and must give the recorded figures.
    """
    held_out, resolved = recipe.prompts.held_out(), unstructure(recipe)
    run_folder.check(folder)
    with ExitStack() as stack:
        processes = recipe.parallel.join(device_of(recipe.run.device))
        stack.callback(processes.close)
        if processes.rank == 0:
            stack.enter_context(run_folder.occupied(folder))
        if run_folder.holds_run(folder):
            resume.check_same(folder, resolved, allowed)
        start = resume.start_of(folder, processes)
        finished = run_folder.summary(folder)
        if finished is not None and finished["steps"] == recipe.run.steps:
            return finished
        notes = [*start.notes, *([verify_resume(recipe, folder, processes)] if verify else [])]
        session = start.assembled(recipe, processes)
        check_prompts(session, held_out, start.step)
        tracks = opened(recipe, folder, start.step, stack) if processes.rank == 0 else Trackers()
        parts = stateful(session, tracks.opened)
        memory = Memory(**start.remembered(session, parts))
        loop = _Loop(session, held_out, folder, tracks, memory, parts)
        for note in notes:
            loop.say(note)
        return loop.run(start.step, stopped)


def opened(recipe: Recipe, folder: Path, start: int, stack: ExitStack) -> Trackers:
    """Write down what the run is, and open its trackers; the stack closes them."""
    (folder / "images").mkdir(exist_ok=True)
    durable.write_text(folder / run_folder.RECIPE, tomlkit.dumps(unstructure(recipe)))
    durable.write_json(folder / run_folder.VERSIONS, run_folder.versions())
    return Trackers.of(recipe, folder, start, stack)


@torch.no_grad()
def check_prompts(session: Session, held_out: Prompts, start: int) -> None:
    """Let policy and rewards read every prompt that is to come, so that one they cannot read is refused now."""
    source, run = session.recipe.prompts, session.recipe.run
    refuse_unreadable(session, held_out, session.measure)
    for step in range(start, run.steps):
        refuse_unreadable(session, source.draw(step, run.seed), session.scorers)


def refuse_unreadable(session: Session, prompts: Prompts, scorers: Scorers) -> None:
    """Raise `DataError` for a prompt that the policy cannot express or that lacks what a reward reads."""
    for reward in scorers:
        reward.refuse_unreadable(prompts)
    session.model.prefix(prompts.to(session.pipeline.device))


class _Loop:
    """A run on its way: the session, where it writes, and what must outlive a restart."""

    def __init__(
        self,
        session: Session,
        held_out: Prompts,
        folder: Path,
        tracks: Trackers,
        memory: Memory,
        parts: Mapping[str, HasRunState],
    ):
        self.session, self.folder, self.tracks, self.memory, self.parts = session, folder, tracks, memory, parts
        self.recipe, self.settings, self.processes = session.recipe, session.recipe.run, session.processes
        self.first = self.processes.rank == 0
        self.began = perf_counter() - memory.seconds
        self.validator = Validator(session, held_out, folder / "images", tracks)
        run = self.settings
        self.writer = Writer(folder / run_folder.CHECKPOINTS, keep=run.keep_last, keep_every=run.keep_every)
        self.facts = {"versions": run_folder.versions(), "recipe": unstructure(self.recipe)}

    def run(self, start: int, stopped: Callable[[], bool]) -> dict[str, Any] | None:
        """Measure, train, measure again."""
        self.say(f"the run's folder: {self.folder}")
        if start:
            self.say(f"going on from step {start}")
        if self.memory.before is None:
            scores = self.validator.before()
            self.memory.before = scores.tolist()
            self.say(f"held-out score before: {float(scores.mean()):.3f} on {len(scores)} prompts")
        for step in range(start, self.settings.steps):
            if self.step(step, stopped, inspect=partial(self.check_parity, step) if step == start else None):
                return None
        self.writer.wait()
        return self.finish()

    def step(self, step: int, stopped: Callable[[], bool], inspect: Callable[[Rollout], None] | None) -> bool:
        """One step, its figures, and a checkpoint if one is due; whether the run is to stop here."""
        outcome, done = train_step(self.session, step, inspect=inspect), step + 1
        figures = outcome.figures | self.writer.figures()
        self.note(step, outcome)
        song = NO_CANARIES
        if done % self.settings.eval_every == 0:
            look, song = self.validator.during(done, outcome.rollout)
            figures |= look
            for sentence in song.warnings:
                self.say(f"step {step}: {sentence}")
        figures |= self.signal_to_noise(step)
        early = bool(self.session.all_reduce(int(stopped()))[0]) and done < self.settings.steps
        saving = early or song.end is not None or done % self.settings.save_every == 0 or done == self.settings.steps
        snapshot = self.snapshot(done, figures) if saving else None
        self.tracks.write(step, figures)
        self.tracks.log_histogram(step, outcome.distributions)
        if snapshot and self.first:
            self.writer.begin(snapshot.with_state_of(self.parts))
        self.stop_in_trouble(step, outcome)
        if song.end is not None:
            self.writer.wait()
            raise RunError(f"{self.folder}: step {step}: {song.end}; the last checkpoint holds the policy as it is now")
        self.writer.check()
        if early:
            self.writer.wait()
        return early

    def signal_to_noise(self, step: int) -> dict[str, float]:
        """The signal in the update, where it is to be measured; by a run of one process."""
        every = self.settings.signal_every
        if every is None or (step + 1) % every or self.processes.world_size > 1:
            return {}
        return signal_to_noise.figures(self.session, step)

    def say(self, sentence: str) -> None:
        """Tell whoever watches."""
        self.tracks.say(sentence)

    def say_of_mine(self, sentence: str) -> None:
        """Tell what is of this process alone, which only the first can tell its trackers."""
        if self.first:
            self.say(sentence)
        else:
            sys.stderr.write(f"process {self.processes.rank}: {sentence}\n")

    def check_parity(self, step: int, rollout: Rollout) -> None:
        """Promise 1, on the first rollout; a resumed run is only told: without the break it would have gone on."""
        self.processes.enter("the check of replay parity")
        try:
            worst = parity.check(self.session.pipeline, rollout, self.session.method.budget)
        except ParityError as error:
            if step == 0:
                raise
            self.say_of_mine(f"step {step}: {error}")
            worst = math.nan
        worst = float(self.processes.all_gather(torch.tensor(worst)).max())
        if math.isfinite(worst):
            self.say(f"replay parity: log-probabilities agree within {worst:.1e} nats")

    def note(self, step: int, outcome: Outcome) -> None:
        """Say what is out of the ordinary in a step, and put a rollout away whose numbers are not finite."""
        for sentence in outcome.notes:
            self.say_of_mine(f"step {step}: {sentence}")
        norm = outcome.figures["gradient_norm"]
        if outcome.figures["skipped"]:
            self.memory.skipped += 1
            if outcome.spoiled:
                facts = {"step": step, "cause": outcome.cause, "figures": outcome.figures}
                place = non_finite.put_away(self.folder, step, outcome.rollout, facts, self.processes.rank)
                self.say_of_mine(
                    f"step {step}: numbers are not finite, and the update is skipped: {outcome.cause}; see {place}"
                )
            return
        self.memory.skipped = 0
        if norm:
            sentence = non_finite.far_off(norm, self.memory.norms)
            self.memory.norms = [*self.memory.norms, norm][-non_finite.HISTORY :]
            if sentence:
                self.say(f"step {step}: {sentence}")

    def stop_in_trouble(self, step: int, outcome: Outcome) -> None:
        """End the run where too many steps in a row were skipped."""
        if self.memory.skipped >= self.settings.max_skipped_steps:
            self.writer.wait()
            raise RunError(
                f"{self.folder}: numbers were not finite in {self.memory.skipped} steps in a row, the last of them "
                f"step {step}: {outcome.cause}; the rollouts are in {self.folder / non_finite.FOLDER}"
            )

    def snapshot(self, done: int, figures: dict[str, float]) -> Snapshot:
        """What a checkpoint will hold, copied; the figures are told what that took."""
        clock = perf_counter()
        self.processes.enter("a checkpoint")
        self.writer.wait()
        self.memory.seconds = perf_counter() - self.began
        taken = checkpoint.snapshot(self.session, done, dataclasses.asdict(self.memory), self.facts)
        figures |= {"seconds/snapshot": perf_counter() - clock, "bytes/checkpoint": taken.bytes}
        return taken

    def finish(self) -> dict[str, Any]:
        """The final weights, the score after, images before and after, and last the summary, which says it is done."""
        if self.first:
            pipeline = self.session.pipeline
            final = self.folder / "final" / checkpoint.POLICY
            modules.write(final, {"policy": pipeline.model, "codec": pipeline.codec})
        score, kl = self.validator.after(torch.tensor(self.memory.before))
        took = perf_counter() - self.began
        summary = {"held_out": score, "kl": kl, "steps": self.settings.steps, "seconds": took}
        if self.first:
            durable.write_json(self.folder / run_folder.SUMMARY, summary)
        return summary
