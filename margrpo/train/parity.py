"""The gate of promise 1: at unchanged weights, replayed log-probabilities equal the recorded ones."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from margrpo.errors import ParityError
from margrpo.maths import gaussian
from margrpo.records import ARStep, Rollout
from margrpo.train.chain import transition
from margrpo.train.roll_out import Pipeline, conditions

TOLERANCE = 1e-2
"""Largest difference of a transition's log-probability, in nats: ten times what float32 leaves at σ = 0.01."""


@torch.no_grad()
def check(pipeline: Pipeline, rollout: Rollout) -> float:
    """The largest difference, or `ParityError` with the cause."""
    try:
        worst = max((difference(pipeline, rollout, step) for step in rollout.steps), default=0.0)
    except RuntimeError as error:  # torch does not multiply float32 by weights of half precision
        advice = low_precision(pipeline, rollout)
        if advice is None:
            raise
        raise ParityError(f"the rollout cannot be replayed; {advice}") from error
    if worst <= TOLERANCE:
        return worst
    raise ParityError(
        f"replayed log-probabilities differ from the recorded ones by up to {worst:.3g} nats (allowed: {TOLERANCE:g}); "
        f"{cause(pipeline, rollout)}"
    )


def difference(
    pipeline: Pipeline,
    rollout: Rollout,
    step: ARStep,
    *,
    scale: float | None = None,
) -> float:
    """How far the log-probabilities of one AR step's main chain are from the recorded ones, in nats."""
    w = step.guidance if scale is None else scale
    known = conditions(pipeline.model, step.tokens, step.unknown, rollout.prompts, scale=w).of(step.chain.drawn)
    worst = 0.0
    for j, t in enumerate(rollout.diffusion_steps):
        now = transition(pipeline.model.head, pipeline.sampler, known, step.chain.state[j], t)
        change = log_ratio(step, j, now.mean)
        worst = max(worst, float(change.abs().nan_to_num(torch.inf).max()))
    return worst


def log_ratio(step: ARStep, j: int, mean: Float[Tensor, "k m d"]) -> Float[Tensor, "k m"]:
    """ℓ under a mean, less the recorded ℓ, of kept transition j."""
    x, recorded, std = step.chain.next[j], step.chain.mean[j], step.chain.std[j]
    return gaussian.log_density(x, mean, std) - gaussian.log_density(x, recorded, std)


def cause(pipeline: Pipeline, rollout: Rollout) -> str:
    """The first explanation that holds, as advice."""
    for explanation in (mask_after_step, dropout_on, low_precision, other_guidance):
        advice = explanation(pipeline, rollout)
        if advice:
            return advice
    return "it is not mask, dropout, precision or guidance: were weights changed, or a cache kept, in between?"


def mask_after_step(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Committed tokens that are marked known betray a mask recorded too late."""
    late = [step.index for step in rollout.steps if (step.committed & ~step.unknown).any()]
    if late:
        return f"the mask of AR step {late[0]} is the one after the step: record what is unknown before committing"
    return None


def dropout_on(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Dropout that is on, and whose absence mends the difference."""
    model = pipeline.model
    if not any(isinstance(part, nn.Dropout) and part.training and part.p > 0 for part in model.modules()):
        return None
    modes = {part: part.training for part in model.modules()}
    model.eval()
    mended = within(pipeline, rollout)
    for part, training in modes.items():
        part.training = training
    return (
        "dropout is on in the replay: put the policy in evaluation mode or set policy.dropout = 0" if mended else None
    )


def low_precision(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Weights or autocast below float32."""
    device = torch.device(pipeline.device).type
    low = [value.dtype for value in pipeline.model.parameters() if value.dtype in (torch.bfloat16, torch.float16)]
    dtype = low[0] if low else torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    if dtype is None:
        return None
    return f"the replay computes log-probabilities in {dtype}: compute the head and the densities in float32"


def other_guidance(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """A guidance scale other than the recorded one, under which the difference goes away."""
    for step in rollout.steps:
        for scale in (pipeline.guidance.scale(pipeline.model.tokens, step.remaining), 1.0):
            if scale != step.guidance and difference(pipeline, rollout, step, scale=scale) <= TOLERANCE:
                return (
                    f"AR step {step.index} was drawn under guidance {scale:g} but is replayed under {step.guidance:g}: "
                    "record the scale of the rollout"
                )
    return None


def within(pipeline: Pipeline, rollout: Rollout) -> bool:
    """Whether every step is within the tolerance."""
    return all(difference(pipeline, rollout, step) <= TOLERANCE for step in rollout.steps)
