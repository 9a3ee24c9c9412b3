"""One training step: collect, judge, learn."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import field
from itertools import combinations
from math import isfinite

import torch
from jaxtyping import Float, Int
from torch import Tensor

from margrpo.declare import record
from margrpo.maths import groups, noise
from margrpo.records import Rollout, Verdict
from margrpo.train import portions, trouble
from margrpo.train.assemble import Session, recording_of
from margrpo.train.early import Early
from margrpo.train.judge import judge
from margrpo.train.jury import Juror, Jury
from margrpo.train.meter import Meter, most_held
from margrpo.train.roll_out import roll_out
from margrpo.train.update import update


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

    Each portion is shown to `drawn` as soon as it is there.
    """
    recipe, key = session.recipe, (session.recipe.run.seed, "rollout", step)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    recording = recording_of(recipe, noise.generator((*key, "timesteps")))
    parts = []
    for some in session.portions:
        parts.append(roll_out(session.pipeline, portions.images(prompts, some, recipe.prompts.group), key, recording))
        drawn(parts[-1])
    return Rollout.of_images(parts)


def train_step(session: Session, step: int, *, inspect: Callable[[Rollout], None] | None = None) -> Outcome:
    """Collect, judge, learn. `inspect` is shown this process's rollout before anything is learned."""
    with closing(Early(session.jury)) as early:
        return _train_step(session, step, early, inspect)


def _train_step(session: Session, step: int, early: Early, inspect: Callable[[Rollout], None] | None) -> Outcome:
    recipe, processes, clock = session.recipe, session.processes, Meter(session.pipeline.device)
    processes.enter(f"step {step}, drawing images")
    rollout = collect(session, step, early.ask)
    clock.stop("collect")
    whole = not session.total([int(not rollout.tokens.isfinite().all())])[0]
    if not whole:
        return spoiled(session, rollout)
    if inspect is not None:
        inspect(rollout)
    clock.start()
    processes.enter(f"step {step}, judging")
    verdict = judge(session.jury, recipe.advantage, rollout, session.of_all, early.answers())
    clock.stop("judge")
    processes.enter(f"step {step}, learning")
    rate = recipe.optimizer.rate(step, recipe.run.steps)
    figures, tally = update(session, rollout, verdict.advantages[session.mine], rate)
    session.method.leash.after_step(step + 1, session.model)
    clock.stop("learn")
    return Outcome(
        {
            **reward_figures(verdict, session.jury),
            **figures,
            **{f"seconds/{name}": seconds for name, seconds in clock.seconds.items()},
            "bytes/memory": most_held(session.pipeline.device),
        },
        notes=verdict.notes,
        rollout=rollout,
        distributions={"reward": verdict.total[verdict.kept], "advantage": verdict.advantages[verdict.kept]},
        spoiled=bool(figures["skipped"]) and (not tally.finite or processes.rank == 0),
        cause=trouble.cause(session, rollout) if figures["skipped"] else "",
    )


def reward_figures(verdict: Verdict, jury: Jury) -> dict[str, float]:
    """What the rewards say of a step, without the groups that were dropped; no number where all of them were."""
    kept = verdict.kept
    total, group = verdict.total[kept], verdict.group[kept]
    figures = {
        "reward": float(total.mean()),
        "live_groups": float((verdict.advantages[kept] != 0).float().mean()),
        "dropped_groups": len(verdict.group[~kept].unique()),
    }
    for juror, scores in zip(jury, verdict.rewards[kept].unbind(1), strict=True):
        figures |= figures_of(juror, scores)
    if len(group):
        figures |= agreement(jury, verdict.rewards[kept], verdict.advantages[kept], group)
    return figures


def figures_of(juror: Juror, scores: Float[Tensor, "b"]) -> dict[str, float]:
    """The mean of one reward, and where that lies in the range which it declares, from 0 to 1."""
    mean, low, high = float(scores.mean()), juror.traits.low, juror.traits.high
    ranged = isfinite(low) and isfinite(high)
    normalised = {f"reward_normalised/{juror.name}": (mean - low) / (high - low)} if ranged else {}
    return {f"reward/{juror.name}": mean, **normalised}


def agreement(
    jury: Jury, rewards: Float[Tensor, "b r"], advantages: Float[Tensor, "b"], group: Int[Tensor, "b"]
) -> dict[str, float]:
    """How each reward varies within a prompt, how the update follows it, and how rewards go together."""
    columns = dict(zip([juror.name for juror in jury], rewards.unbind(1), strict=True))
    figures = {f"reward_std/{name}": float(groups.deviation(x, group).mean()) for name, x in columns.items()}
    figures |= {f"reward_pull/{name}": float(groups.correlation(x, advantages, group)) for name, x in columns.items()}
    for (first, x), (second, y) in combinations(columns.items(), 2):
        figures[f"reward_correlation/{first}/{second}"] = float(groups.correlation(x, y, group))
    return figures


def spoiled(session: Session, rollout: Rollout) -> Outcome:
    """The outcome of a step whose images are not finite: there is nothing to judge, and nothing to learn from."""
    mine = not rollout.tokens.isfinite().all()
    figures = {"reward": torch.nan, "gradient_norm": 0.0, "skipped": 1}
    return Outcome(figures, (), rollout, spoiled=bool(mine), cause=trouble.cause(session, rollout))
