"""One training step: collect, judge, learn."""

from collections.abc import Callable, Sequence

import torch

from margrpo.declare import record
from margrpo.maths import groups, noise
from margrpo.records import Rollout, Verdict
from margrpo.train import portions, trouble
from margrpo.train.assemble import Session, recording_of
from margrpo.train.judge import judge
from margrpo.train.meter import Meter
from margrpo.train.roll_out import roll_out
from margrpo.train.update import update


@record
class Outcome:
    """What came of a step: the figures of all processes, and what is out of the ordinary.

    Where numbers were not finite, `cause` says what is likely to be behind it, and `spoiled` whether they were among
    those of this process.
    """

    figures: dict[str, float]
    notes: Sequence[str]
    rollout: Rollout
    spoiled: bool = False
    cause: str = ""


def collect(session: Session, step: int) -> Rollout:
    """This process's images of one step: a pure function of (weights, recipe, seed, step) and which they are."""
    recipe, key = session.recipe, (session.recipe.run.seed, "rollout", step)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    recording = recording_of(recipe, noise.generator((*key, "timesteps")))
    parts = [
        roll_out(session.pipeline, portions.images(prompts, some, recipe.prompts.group), key, recording)
        for some in session.portions
    ]
    return Rollout.of_images(parts)


def train_step(session: Session, step: int, *, inspect: Callable[[Rollout], None] | None = None) -> Outcome:
    """Collect, judge, learn. `inspect` is shown this process's rollout before anything is learned."""
    recipe, processes, clock = session.recipe, session.processes, Meter(session.pipeline.device)
    processes.enter(f"step {step}, drawing images")
    rollout = collect(session, step)
    clock.stop("collect")
    whole = not session.total([int(not rollout.tokens.isfinite().all())])[0]
    if not whole:
        return spoiled(session, rollout)
    if inspect is not None:
        inspect(rollout)
    clock.start()
    processes.enter(f"step {step}, judging")
    verdict = judge(recipe.reward, recipe.advantage, rollout, session.of_all)
    clock.stop("judge")
    processes.enter(f"step {step}, learning")
    rate = recipe.optimizer.rate(step, recipe.run.steps)
    figures, tally = update(session, rollout, verdict.advantages[session.mine], rate)
    session.method.leash.after_step(step + 1, session.model)
    clock.stop("learn")
    return Outcome(
        {
            **reward_figures(verdict),
            **figures,
            **{f"seconds/{name}": seconds for name, seconds in clock.seconds.items()},
        },
        notes=verdict.notes,
        rollout=rollout,
        spoiled=bool(figures["skipped"]) and (not tally.finite or processes.rank == 0),
        cause=trouble.cause(session, rollout) if figures["skipped"] else "",
    )


def reward_figures(verdict: Verdict) -> dict[str, float]:
    """What the rewards say of a step, without the groups that were dropped; no number where all of them were."""
    kept = verdict.kept
    total, means = verdict.total[kept], verdict.rewards[kept].mean(0)
    live = groups.spread(total, verdict.group[kept]) > 0 if kept.any() else total
    return {
        "reward": float(total.mean()),
        **{f"reward/{name}": float(mean) for name, mean in zip(verdict.names, means, strict=True)},
        "live_groups": float(live.float().mean()),
        "dropped_groups": len(verdict.group[~kept].unique()),
    }


def spoiled(session: Session, rollout: Rollout) -> Outcome:
    """The outcome of a step whose images are not finite: there is nothing to judge, and nothing to learn from."""
    mine = not rollout.tokens.isfinite().all()
    figures = {"reward": torch.nan, "gradient_norm": 0.0, "skipped": 1}
    return Outcome(figures, (), rollout, spoiled=bool(mine), cause=trouble.cause(session, rollout))
