"""One training step: collect, judge, learn."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import field
from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.declare import record
from margrpo.maths import noise
from margrpo.records import Rollout
from margrpo.train.assemble import Session, recording_of
from margrpo.train.rollout import microbatches
from margrpo.train.rollout.roll_out import roll_out
from margrpo.train.timer import Timer, most_held
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.verdict.figures import reward_figures
from margrpo.train.verdict.in_flight import ScoresInFlight
from margrpo.train.verdict.judge import judge
from margrpo.train.watch import non_finite


@record
class Outcome:
    """What came of a step: the figures of all processes, and what is out of the ordinary.

    `distributions` are values of images, of all processes too. Where numbers were not finite, `cause` says what is
    likely to be behind it, and `spoiled` whether they were among those of this process.
    """

    figures: dict[str, float]
    notes: Sequence[str]
    rollout: Rollout
    distributions: dict[str, Float[Tensor, "_"]] = field(default_factory=dict)
    spoiled: bool = False
    cause: str = ""


def collect(session: Session, step: int, drawn: Callable[[Rollout], None] = lambda part: None) -> Rollout:
    """This process's images of one step: a pure function of (weights, recipe, seed, step) and which they are.

    `drawn` is called with each microbatch as soon as it is there.
    """
    recipe, key = session.recipe, (session.recipe.run.seed, "rollout", step)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    recording = recording_of(session, noise.generator((*key, "timesteps")))
    parts = []
    for some in session.microbatches:
        parts.append(
            roll_out(session.pipeline, microbatches.images(prompts, some, recipe.prompts.group), key, recording)
        )
        drawn(parts[-1])
    return Rollout.concat(parts)


def train_step(session: Session, step: int, *, inspect: Callable[[Rollout], None] | None = None) -> Outcome:
    """Collect, judge, learn. `inspect` is shown this process's rollout before anything is learned."""
    with closing(ScoresInFlight(session.scorers)) as in_flight:
        return _train_step(session, step, in_flight, inspect)


def _train_step(
    session: Session, step: int, in_flight: ScoresInFlight, inspect: Callable[[Rollout], None] | None
) -> Outcome:
    recipe, processes, clock = session.recipe, session.processes, Timer(session.pipeline.device)
    processes.enter(f"step {step}, drawing images")
    rollout = collect(session, step, in_flight.send)
    clock.lap("collect")
    whole = not session.all_reduce(int(not rollout.tokens.isfinite().all()))[0]
    if not whole:
        return spoiled(session, rollout)
    if inspect is not None:
        inspect(rollout)
    clock.start()
    processes.enter(f"step {step}, judging")
    verdict = judge(session.scorers, recipe.advantage, rollout, session.of_all, in_flight.results())
    clock.lap("judge")
    processes.enter(f"step {step}, learning")
    rate = recipe.optimizer.rate(step, recipe.run.steps)
    figures, stats = update(session, rollout, verdict.advantages[session.own_images], rate)
    session.method.regularizer.after_step(step + 1, session.model)
    clock.lap("learn")
    return Outcome(
        {
            **reward_figures(verdict, session.scorers),
            **figures,
            **{f"seconds/{name}": seconds for name, seconds in clock.seconds.items()},
            "bytes/memory": most_held(session.pipeline.device),
        },
        notes=verdict.notes,
        rollout=rollout,
        distributions={"reward": verdict.total[verdict.kept], "advantage": verdict.advantages[verdict.kept]},
        spoiled=bool(figures["skipped"]) and (not stats.finite or processes.rank == 0),
        cause=non_finite.cause(session, rollout) if figures["skipped"] else "",
    )


def spoiled(session: Session, rollout: Rollout) -> Outcome:
    """The outcome of a step whose images are not finite: there is nothing to judge, and nothing to learn from."""
    mine = not rollout.tokens.isfinite().all()
    figures = {"reward": torch.nan, "gradient_norm": 0.0, "skipped": 1}
    return Outcome(figures, (), rollout, spoiled=bool(mine), cause=non_finite.cause(session, rollout))


def update(
    session: Session, rollout: Rollout, advantages: Float[Tensor, "b"], rate: float
) -> tuple[dict[str, float], UpdateStats]:
    """Learn from this process's images; the figures of all processes, and the stats of this one.

    An update whose loss or gradient is not finite is skipped. Where nothing carries loss, neither advantage nor
    penalty, none is taken.
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
            norm = step(session, bool(not_finite))
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


def step(session: Session, spoiled: bool) -> float:
    """Sum the gradients, and let the optimizer step unless they are spoiled; their norm."""
    processes, parameters = session.processes, [value for _, value in session.parameters]
    processes.sum_gradients()
    norm = processes.clip_gradients(parameters, session.recipe.optimizer.max_norm)
    if isfinite(norm) and not spoiled:
        session.optimizer.step()
    processes.unshard()
    return norm
