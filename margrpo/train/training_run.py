"""A training run: the work around its steps."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from margrpo.contracts import HasRunState
from margrpo.errors import ParityError, RunError
from margrpo.recipe import unstructure
from margrpo.records import Prompts, Rollout
from margrpo.run_folder import RunFolder
from margrpo.train.assemble import Session
from margrpo.train.outcome import Outcome
from margrpo.train.run import checkpoint, durable
from margrpo.train.run.checkpoint import Snapshot
from margrpo.train.run.memory import RunMemory
from margrpo.train.run.trackers import Trackers
from margrpo.train.run.versions import versions
from margrpo.train.run.writer import Writer
from margrpo.train.watch import parity, signal_to_noise
from margrpo.train.watch.canaries import NO_CANARIES
from margrpo.train.watch.health import Health
from margrpo.train.watch.validation import Validator
from margrpo.weights import modules


class TrainingRun:
    """A training run: the session, the run folder, and the state that outlives a restart.

    - `start`: the first step that this process takes.
    - `parts`: the objects with run state, by their place in the recipe.
    """

    def __init__(
        self,
        session: Session,
        folder: Path,
        start: int,
        *,
        trackers: Trackers,
        memory: RunMemory,
        parts: Mapping[str, HasRunState],
        held_out: Prompts,
    ):
        self.session, self.folder, self.start, self.trackers, self.memory = session, folder, start, trackers, memory
        self.settings, self.processes, self.parts = session.recipe.run, session.processes, parts
        self.first = self.processes.rank == 0
        self.began = perf_counter() - memory.seconds
        self.validator = Validator(session, held_out, RunFolder(folder), trackers)
        self.health = Health(folder, memory, trackers)
        run = self.settings
        self.writer = Writer(RunFolder(folder).checkpoints, keep=run.keep_last, keep_every=run.keep_every)
        self.facts = {"versions": versions(), "recipe": unstructure(session.recipe)}

    def remaining_steps(self) -> range:
        """The numbers of the remaining steps."""
        return range(self.start, self.settings.steps)

    def measure_before(self) -> None:
        """Measure the policy on held-out prompts before the first step, unless it was measured before a restart."""
        self.trackers.say(f"the run's folder: {self.folder}")
        if self.start:
            self.trackers.say(f"going on from step {self.start}")
        if self.memory.before is None:
            scores = self.validator.before()
            self.memory.before = scores.tolist()
            self.trackers.say(f"held-out score before: {float(scores.mean()):.3f} on {len(scores)} prompts")

    def check_parity(self, step: int, rollout: Rollout) -> None:
        """Check replay parity on the first rollout; a failure ends a new run and is logged by a resumed one.

        A run that was not interrupted does not check later rollouts either.
        """
        self.processes.enter("the check of replay parity")
        try:
            worst = parity.check(self.session.pipeline, rollout, self.session.method.budget)
        except ParityError as error:
            if step == 0:
                raise
            self.trackers.say_of_rank(f"step {step}: {error}")
            worst = math.nan
        worst = float(self.processes.all_gather(torch.tensor(worst)).max())
        if math.isfinite(worst):
            self.trackers.say(f"replay parity: log-probabilities agree within {worst:.1e} nats")

    def end_step(self, step: int, outcome: Outcome, stopped: Callable[[], bool]) -> bool:
        """Write the figures of a step, and a checkpoint if one is due; returns whether the run stops here."""
        figures, done = outcome.figures | self.writer.figures(), step + 1
        self.health.report(step, outcome)
        canaries = NO_CANARIES
        if done % self.settings.eval_every == 0:
            validation, canaries = self.validator.during(done, outcome.rollout)
            figures |= validation
            for sentence in canaries.warnings:
                self.trackers.say(f"step {step}: {sentence}")
        figures |= self.signal_to_noise(step)
        early = bool(self.session.all_reduce(int(stopped()))[0]) and done < self.settings.steps
        due = done % self.settings.save_every == 0 or done == self.settings.steps
        snapshot = self.snapshot(done, figures) if early or due or canaries.end is not None else None
        self.trackers.write(step, figures)
        self.trackers.log_histogram(step, outcome.distributions)
        if snapshot and self.first:
            self.writer.begin(snapshot.with_state_of(self.parts))
        end = self.health.end(step, outcome, self.settings.max_skipped_steps)
        if end is None and canaries.end is not None:
            end = f"step {step}: {canaries.end}; the last checkpoint holds the policy as it is now"
        if end is not None:
            self.writer.wait()
            raise RunError(f"{self.folder}: {end}")
        self.writer.check()
        if early:
            self.writer.wait()
        return early

    def signal_to_noise(self, step: int) -> dict[str, float]:
        """The signal-to-noise figures of the update, if they are due; measured only by runs of one process."""
        every = self.settings.signal_every
        if every is None or (step + 1) % every or self.processes.world_size > 1:
            return {}
        return signal_to_noise.figures(self.session, step)

    def snapshot(self, done: int, figures: dict[str, float]) -> Snapshot:
        """A snapshot for a checkpoint; its time and size are added to `figures`."""
        clock = perf_counter()
        self.processes.enter("a checkpoint")
        self.writer.wait()
        self.memory.seconds = perf_counter() - self.began
        taken = checkpoint.snapshot(self.session, done, dataclasses.asdict(self.memory), self.facts)
        figures |= {"seconds/snapshot": perf_counter() - clock, "bytes/checkpoint": taken.bytes}
        return taken

    def finish(self) -> dict[str, Any]:
        """Write the final weights, measure the policy after training, and write the summary, which marks the end."""
        self.writer.wait()
        if self.first:
            pipeline = self.session.pipeline
            modules.write(RunFolder(self.folder).final_weights, {"policy": pipeline.model, "codec": pipeline.codec})
        score, kl = self.validator.after(torch.tensor(self.memory.before))
        took = perf_counter() - self.began
        summary = {"held_out": score, "kl": kl, "steps": self.settings.steps, "seconds": took}
        if self.first:
            durable.write_json(RunFolder(self.folder).summary, summary)
        return summary
