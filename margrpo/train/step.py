"""A training step: collect, judge, learn."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.maths import noise
from margrpo.records import Rollout, Verdict
from margrpo.train.assemble import Session, recording_of
from margrpo.train.outcome import Outcome
from margrpo.train.rollout import microbatches
from margrpo.train.rollout.roll_out import roll_out
from margrpo.train.timer import Timer, most_held
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.verdict.figures import reward_figures
from margrpo.train.verdict.in_flight import ScoresInFlight
from margrpo.train.verdict.judge import judge
from margrpo.train.watch import non_finite


class Step:
    """A training step on this process, and its figures.

    Remote rewards score while images are still drawn; leaving the context cancels unanswered requests.
    """

    def __init__(self, session: Session, number: int):
        self.session, self.number = session, number
        self.timer, self.scores = Timer(session.pipeline.device), ScoresInFlight(session.scorers)
        self.figures: dict[str, float] = {"reward": torch.nan, "gradient_norm": 0.0, "skipped": 1}
        self.distributions: dict[str, Float[Tensor, "_"]] = {}
        self.notes: Sequence[str] = ()
        self.is_finite, self.finite_here = False, False

    def __enter__(self) -> "Step":
        return self

    def __exit__(self, *_: Any) -> None:
        self.scores.close()

    def enter(self, phase: str) -> None:
        """Report the phase to the other processes, and start the clock of the next part."""
        self.session.processes.enter(f"step {self.number}, {phase}")
        self.timer.start()

    def collect(self) -> Rollout:
        """Draw this process's images; `is_finite` is then whether all numbers of all processes are finite."""
        self.enter("drawing images")
        rollout = collect(self.session, self.number, self.scores.send)
        self.timer.lap("collect")
        self.finite_here = bool(rollout.tokens.isfinite().all())
        self.is_finite = not self.session.all_reduce(int(not self.finite_here))[0]
        return rollout

    def judge(self, rollout: Rollout) -> Verdict:
        """The rewards and advantages of the images of all processes."""
        session = self.session
        self.enter("judging")
        verdict = judge(session.scorers, session.recipe.advantage, rollout, session.of_all, self.scores.results())
        self.timer.lap("judge")
        self.figures, self.notes = reward_figures(verdict, session.scorers), verdict.notes
        self.distributions = {"reward": verdict.total[verdict.kept], "advantage": verdict.advantages[verdict.kept]}
        return verdict

    def learn(self, rollout: Rollout, verdict: Verdict) -> None:
        """Let the policy learn from this process's images."""
        session, optimizer = self.session, self.session.recipe.optimizer
        self.enter("learning")
        rate = optimizer.rate(self.number, session.recipe.run.steps)
        figures, stats = update(session, rollout, verdict.advantages[session.own_images], rate)
        session.method.regularizer.after_step(self.number + 1, session.model)
        self.timer.lap("learn")
        self.finite_here = bool(stats.finite)
        self.figures |= figures
        self.figures |= {f"seconds/{name}": seconds for name, seconds in self.timer.seconds.items()}
        self.figures["bytes/memory"] = most_held(session.pipeline.device)

    def outcome(self, rollout: Rollout) -> Outcome:
        """The outcome of the step; a step whose images are not finite was neither judged nor learned from."""
        skipped, first = bool(self.figures["skipped"]), self.session.processes.rank == 0
        return Outcome(
            self.figures,
            self.notes,
            rollout,
            distributions=self.distributions,
            spoiled=skipped and (not self.finite_here or (first and self.is_finite)),
            cause=non_finite.cause(self.session, rollout) if skipped else "",
        )


def train_step(session: Session, number: int) -> Outcome:
    """Take a step outside a run: collect, judge, learn."""
    with Step(session, number) as step:
        rollout = step.collect()
        if step.is_finite:
            step.learn(rollout, step.judge(rollout))
    return step.outcome(rollout)


def collect(session: Session, step: int, drawn: Callable[[Rollout], None] = lambda part: None) -> Rollout:
    """Draw this process's images of a step: a pure function of weights, recipe, seed, step and rank.

    `drawn` is called with each microbatch as soon as it has been drawn.
    """
    recipe, key = session.recipe, (session.recipe.run.seed, "rollout", step)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    recording = recording_of(session, noise.generator((*key, "timesteps")))
    parts = []
    for some in session.microbatches:
        images = microbatches.images(prompts, some, recipe.prompts.group)
        parts.append(roll_out(session.pipeline, images, key, recording))
        drawn(parts[-1])
    return Rollout.concat(parts)


def update(
    session: Session, rollout: Rollout, advantages: Float[Tensor, "b"], rate: float
) -> tuple[dict[str, float], UpdateStats]:
    """Learn from this process's images; returns figures of all processes, and statistics of this process.

    An update whose loss or gradient is not finite is skipped. If neither an advantage nor a penalty carries loss,
    no update is made.
    """
    stats, norm, skipped = UpdateStats(), 0.0, 0
    for group in session.optimizer.param_groups:
        group["lr"] = rate
    for _ in range(session.method.objective.updates):
        session.optimizer.zero_grad(set_to_none=True)
        stats.restart()
        backward(session.pipeline, session.method, rollout, advantages, stats)
        evaluations, not_finite = session.all_reduce(stats.evaluations, int(not stats.finite))
        if evaluations:
            norm = optimizer_step(session, bool(not_finite))
            skipped += bool(not_finite) or not isfinite(norm)
    sums = torch.tensor([float(stats.divergence), float(stats.moved), stats.scored], dtype=torch.float64)
    tokens, evaluations = session.all_reduce(stats.tokens, stats.evaluations)
    penalty, moved, scored = session.processes.all_reduce(sums).tolist()
    return {
        "gradient_norm": norm,
        "penalty": penalty,
        "log_ratio": moved / max(1, scored),
        "tokens": tokens,
        "head_evaluations": evaluations,
        "learning_rate": rate,
        "skipped": skipped,
    }, stats


def optimizer_step(session: Session, spoiled: bool) -> float:
    """Sum the gradients, step the optimizer unless they are `spoiled`, and return the norm of the sum."""
    processes, parameters = session.processes, [value for _, value in session.parameters]
    processes.sum_gradients()
    norm = processes.clip_gradients(parameters, session.recipe.optimizer.max_norm)
    if isfinite(norm) and not spoiled:
        session.optimizer.step()
    processes.unshard()
    return norm
