"""The gate of promise 1: at unchanged weights, replayed log-probabilities equal the recorded ones."""

from itertools import groupby

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from margrpo.contracts import Model
from margrpo.errors import ParityError
from margrpo.maths import gaussian
from margrpo.records import ARStep, Rollout
from margrpo.train.rollout.condition import Condition, conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.batches import batches, conditions_of, image_steps
from margrpo.train.update.budget import ROOMY, Budget

TOLERANCE = 1e-2
"""Largest difference of a transition's log-probability, in nats: ten times what float32 leaves at σ = 0.01."""
ROUGH = 0.05
"""Largest difference for products of lower precision: TensorFloat-32 in the head was measured to leave 5e-3."""


def tolerance(pipeline: Pipeline) -> float:
    """The tolerance for the precision of the pipeline."""
    tf32 = torch.device(pipeline.device).type == "cuda" and torch.get_float32_matmul_precision() != "highest"
    return ROUGH if tf32 or pipeline.dtype != torch.float32 else TOLERANCE


def check(pipeline: Pipeline, rollout: Rollout, budget: Budget = ROOMY) -> float:
    """The largest difference, or `ParityError` with the cause; AR steps share passes as in the update."""
    try:
        worst = replayed(pipeline, rollout, budget)
    except RuntimeError as error:  # torch does not multiply float32 by weights of half precision
        advice = low_precision(pipeline, rollout)
        if advice is None:
            raise
        raise ParityError(f"the rollout cannot be replayed; {advice}") from error
    allowed = tolerance(pipeline)
    if worst <= allowed:
        return worst
    raise ParityError(
        f"replayed log-probabilities differ from the recorded ones by up to {worst:.3g} nats (allowed: {allowed:g}); "
        f"{cause(pipeline, rollout)}"
    )


@torch.no_grad()
def replayed(pipeline: Pipeline, rollout: Rollout, budget: Budget) -> float:
    """The largest difference between replayed and recorded log-probabilities of all main chains, in nats."""
    unknown, scales = [step.unknown for step in rollout.steps], [step.guidance for step in rollout.steps]
    images, worst = range(len(rollout.prompts)), 0.0
    for batch in batches(image_steps(unknown, scales, [images] * len(unknown)), budget):
        known = conditions_of(pipeline.model, rollout, batch, unknown, dtype=pipeline.dtype)
        for place, steps in groupby(enumerate(batch), key=lambda placed: placed[1].step):
            slots, some = zip(*((slot, each.image) for slot, each in steps), strict=True)
            drawn = rollout.steps[place].chain.drawn
            condition = known.at(list(slots)).of(drawn[list(some)])
            where = torch.zeros_like(drawn)
            where[list(some)] = drawn[list(some)]
            worst = max(worst, furthest(pipeline, rollout, rollout.steps[place], condition, where))
    return worst


@torch.no_grad()
def difference(
    pipeline: Pipeline,
    rollout: Rollout,
    step: ARStep,
    *,
    scale: float | None = None,
) -> float:
    """The largest difference between replayed and recorded log-probabilities of one AR step, in nats."""
    known = conditions_at(pipeline.model, step, rollout.prompts, scale=scale, dtype=pipeline.dtype)
    return furthest(pipeline, rollout, step, known.of(step.chain.drawn), step.chain.drawn)


def furthest(
    pipeline: Pipeline, rollout: Rollout, step: ARStep, condition: Condition, where: Bool[Tensor, "b n"]
) -> float:
    """The largest difference of the marked tokens under a condition, over all kept transitions."""
    rows, worst = step.chain.rows(where), torch.zeros((), device=where.device)
    for j, t in enumerate(rollout.diffusion_steps):
        state, x, recorded, std = (
            each[j, :, rows] for each in (step.chain.state, step.chain.next, step.chain.mean, step.chain.std)
        )
        now = step_gaussian(pipeline.model.head, pipeline.sampler, condition, state, t).mean
        change = gaussian.log_density(x, now, std) - gaussian.log_density(x, recorded, std)
        worst = torch.maximum(worst, change.abs().nan_to_num(torch.inf).max())
    return float(worst)


def cause(pipeline: Pipeline, rollout: Rollout) -> str:
    """The first explanation of the difference that holds, as advice."""
    for explanation in (mask_after_step, dropout_on, low_precision, other_guidance, dropout_everywhere):
        advice = explanation(pipeline, rollout)
        if advice:
            return advice
    return "mask, dropout, precision and guidance agree: were weights changed, or a cache kept, in between?"


def mask_after_step(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Advice for a mask recorded too late, in which committed tokens are marked known."""
    late = [step.index for step in rollout.steps if (step.committed & ~step.unknown).any()]
    if late:
        return f"the mask of AR step {late[0]} is the one after the step: record what is unknown before committing"
    return None


def dropout_on(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Advice for dropout that is on, if the difference goes away without it."""
    model = pipeline.model
    if not is_dropping(model):
        return None
    modes = {part: part.training for part in model.modules()}
    model.eval()
    mended = within_tolerance(pipeline, rollout)
    for part, training in modes.items():
        part.training = training
    return (
        "dropout is on in the replay: put the policy in evaluation mode or set policy.dropout = 0" if mended else None
    )


def is_dropping(model: Model) -> bool:
    """Whether dropout is on in `model`."""
    return any(isinstance(part, nn.Dropout) and part.training and part.p > 0 for part in model.modules())


def dropout_everywhere(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Advice for dropout that was on in the rollout already, so that no replay can repeat it."""
    if not is_dropping(pipeline.model):
        return None
    return (
        "dropout is on in rollout and replay, and drops other units each time: put the policy in evaluation mode or "
        "set policy.dropout = 0"
    )


def low_precision(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Advice for weights or autocast below float32."""
    device = torch.device(pipeline.device).type
    low = [value.dtype for value in pipeline.model.parameters() if value.dtype in (torch.bfloat16, torch.float16)]
    dtype = low[0] if low else torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    if dtype is None:
        return None
    return f"the replay computes log-probabilities in {dtype}: compute the head and the densities in float32"


def other_guidance(pipeline: Pipeline, rollout: Rollout) -> str | None:
    """Advice for a guidance scale other than the recorded one, if the difference goes away under it."""
    for step in rollout.steps:
        for scale in (pipeline.guidance.scale(pipeline.model.tokens, step.remaining), 1.0):
            if scale != step.guidance and difference(pipeline, rollout, step, scale=scale) <= tolerance(pipeline):
                return (
                    f"AR step {step.index} was drawn under guidance {scale:g} but is replayed under {step.guidance:g}: "
                    "record the scale of the rollout"
                )
    return None


def within_tolerance(pipeline: Pipeline, rollout: Rollout) -> bool:
    """Whether every AR step is within the tolerance."""
    return all(difference(pipeline, rollout, step) <= tolerance(pipeline) for step in rollout.steps)
