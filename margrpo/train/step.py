"""One training step: collect, judge, learn."""

from collections.abc import Callable, Sequence

import torch

from margrpo.declare import record
from margrpo.maths import groups, noise
from margrpo.records import Rollout
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
    verdict = judge(recipe.reward, recipe.advantage, rollout)
    clock.stop("judge")
    processes.enter(f"step {step}, learning")
    rate = recipe.optimizer.rate(step, recipe.run.steps)
    figures, tally = update(session, rollout, verdict.advantages, rate)
    session.method.leash.after_step(step + 1, session.model)
    clock.stop("learn")
    return Outcome(
        {
            "reward": float(verdict.total.mean()),
            **{f"reward/{name}": float(x) for name, x in zip(verdict.names, verdict.rewards.mean(0), strict=True)},
            "live_groups": float((groups.spread(verdict.total, rollout.prompts.group) > 0).float().mean()),
            **figures,
            **{f"seconds/{name}": seconds for name, seconds in clock.seconds.items()},
        },
        notes=(),
        rollout=rollout,
        spoiled=bool(figures["skipped"]) and (not tally.finite or processes.rank == 0),
        cause=trouble.cause(session, rollout) if figures["skipped"] else "",
    )


def spoiled(session: Session, rollout: Rollout) -> Outcome:
    """The outcome of a step whose images are not finite: there is nothing to judge, and nothing to learn from."""
    mine = not rollout.tokens.isfinite().all()
    figures = {"reward": torch.nan, "gradient_norm": 0.0, "skipped": 1}
    return Outcome(figures, (), rollout, spoiled=bool(mine), cause=trouble.cause(session, rollout))
