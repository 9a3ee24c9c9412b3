"""One training step: collect, judge, learn."""

from collections.abc import Callable
from math import isfinite

import torch

from margrpo.errors import RunError
from margrpo.maths import groups, noise
from margrpo.records import Rollout, Verdict
from margrpo.train.assemble import Session, recording_of
from margrpo.train.judge import judge
from margrpo.train.learn import Tally, backward
from margrpo.train.meter import Meter
from margrpo.train.roll_out import roll_out


def collect(session: Session, step: int) -> Rollout:
    """The rollout of one step: a pure function of (weights, recipe, seed, step)."""
    recipe, key = session.recipe, (session.recipe.run.seed, "rollout", step)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    recording = recording_of(recipe, noise.generator((*key, "timesteps")))
    return roll_out(session.pipeline, prompts, key, recording)


def learn(session: Session, rollout: Rollout, verdict: Verdict, rate: float) -> dict[str, float]:
    """The optimizer steps of one rollout; where nothing carries loss, neither advantage nor penalty, none is taken."""
    tally, norm = Tally(), 0.0
    parameters = [value for _, value in session.parameters]
    for group in session.optimizer.param_groups:
        group["lr"] = rate
    for _ in range(session.recipe.objective.updates):
        session.optimizer.zero_grad(set_to_none=True)
        tally.surrogate = tally.divergence = 0.0
        backward(session.pipeline, session.method, rollout, verdict.advantages, tally)
        if tally.evaluations:
            norm = float(torch.nn.utils.clip_grad_norm_(parameters, session.recipe.optimizer.max_norm))
            check_finite(norm)
            session.optimizer.step()
    return {
        "gradient_norm": norm,
        "penalty": float(tally.divergence),
        "tokens": tally.tokens,
        "head_evaluations": tally.evaluations,
        "learning_rate": rate,
    }


def check_finite(norm: float) -> None:
    """Refuse to take a step that would spoil the weights."""
    if not isfinite(norm):
        raise RunError(
            f"the norm of the gradient is {norm}, so no step was taken; the last checkpoint is sound. Likely causes: "
            "a transition with a std near 0 (see weighting, sampler.temperature) or a learning rate that is too high"
        )


def train_step(session: Session, step: int, *, inspect: Callable[[Rollout], None] | None = None) -> dict[str, float]:
    """Collect, judge, learn; the figures of the step. `inspect` is shown the rollout before anything is learned."""
    recipe, clock = session.recipe, Meter(session.pipeline.device)
    rollout = collect(session, step)
    clock.stop("collect")
    if inspect is not None:
        inspect(rollout)
    clock.start()
    verdict = judge(recipe.reward, recipe.advantage, rollout)
    clock.stop("judge")
    rate = recipe.optimizer.rate(step, recipe.run.steps)
    figures = learn(session, rollout, verdict, rate)
    session.method.leash.after_step(step + 1, session.model)
    clock.stop("learn")
    return {
        "reward": float(verdict.total.mean()),
        **{f"reward/{name}": float(x) for name, x in zip(verdict.names, verdict.rewards.mean(0), strict=True)},
        "live_groups": float((groups.spread(verdict.total, rollout.prompts.group) > 0).float().mean()),
        **figures,
        **{f"seconds/{name}": seconds for name, seconds in clock.seconds.items()},
    }
