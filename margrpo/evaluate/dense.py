"""The same loss the plain way: the head on every token for every chain, masked afterwards, in one graph.

It is what `margrpo bench step --against dense` compares the update with, and what one would write first: nothing is
gathered before the head, every chain has a modulation of its own, and nothing is back-propagated before the end.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Head, Model
from margrpo.maths import gaussian
from margrpo.records import Evidence, Rollout
from margrpo.train.chain import Moments, transitions
from margrpo.train.condition import Condition, Conditions, conditions
from margrpo.train.parts import Method
from margrpo.train.roll_out import Pipeline
from margrpo.train.shares import Part, parts_of, shares


def dense_loss(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"]
) -> Float[Tensor, ""]:
    """The loss whose gradient `margrpo.train.learn.backward` adds to the parameters, as one graph."""
    selected = [method.selector.select(rollout, step) for step in rollout.steps]
    std = torch.tensor([pipeline.sampler.nominal_std(t) for t in rollout.diffusion_steps], device=pipeline.device)
    weights, total = method.weighting.weights(std), torch.zeros((), device=pipeline.device)
    with method.replay.playing(pipeline.model, (*rollout.key, "replay")):
        for share in shares(method, rollout, advantages, selected):
            unknown, scale = method.replay.unknown(rollout, share.step), method.replay.scale(share.step.guidance)

            def asked(
                model: Model, unknown: Tensor = unknown, scale: float = scale, tokens: Tensor = share.step.tokens
            ) -> Conditions:
                return conditions(model, tokens, unknown, rollout.prompts, scale=scale, dtype=pipeline.dtype)

            known, reference = asked(pipeline.model), None
            if method.leash.reference is not None:
                with torch.no_grad():
                    reference = asked(method.leash.reference)
            for part in parts_of(method, rollout, share):
                total = total + part_loss(pipeline, method, rollout, part, known, reference, weights, advantages)
    return total


def part_loss(
    pipeline: Pipeline,
    method: Method,
    rollout: Rollout,
    part: Part,
    known: Conditions,
    reference: Conditions | None,
    weights: Float[Tensor, "t"],
    advantages: Float[Tensor, "b"],
) -> Float[Tensor, ""]:
    """What one piece of evidence contributes, computed for all tokens and masked."""
    evidence, head = part.evidence, pipeline.model.head
    where = evidence.where
    state, target, std = (spread(evidence, x, fill) for x, fill in zip(evidence.part(), (0.0, 0.0, 1.0), strict=True))
    mean = means(pipeline, head, known, state, rollout.diffusion_steps)
    loss = torch.zeros((), device=mean.device)
    if part.surrogate is not None:
        logp = gaussian.log_density(target, mean, std, floor=method.replay.floor)
        logp = logp * where.flatten()  # what is masked has no meaning, and must not reach an exponential
        flat = rearrange(logp, "t k m -> (t k) m")
        each = repeat(advantages, "b -> (b n)", n=where.shape[1])
        surrogate = method.objective.surrogate(flat, flat.detach(), each).view_as(logp)
        terms = (weights[:, None, None] * surrogate * where.flatten()).mean(1)
        loss = loss - evidence.weight * terms.sum() / part.surrogate
    if part.penalty is not None and reference is not None and method.leash.reference is not None:
        with torch.no_grad():
            anchor = means(pipeline, method.leash.reference.head, reference, state, rollout.diffusion_steps)
        flat_means = (rearrange(x, "t k m d -> (t k) m d") for x in (mean, anchor, std))
        divergence = method.leash.divergence(*flat_means).view(mean.shape[:-1])
        loss = loss + (divergence * where.flatten()).mean(1).sum() / part.penalty
    return loss


def means(
    pipeline: Pipeline, head: Head, known: Conditions, state: Float[Tensor, "t k m d"], steps: tuple[int, ...]
) -> Float[Tensor, "t k m d"]:
    """μ of every transition of every chain of every token, each chain with its own modulation."""
    chains, packed = state.shape[1], known.packed
    scale = packed.scale.repeat(chains, 1) if isinstance(packed.scale, Tensor) else packed.scale
    null = None if packed.null is None else packed.null.repeat(chains, 1)
    condition = Condition(packed.z.repeat(chains, 1), null, scale)
    found = []
    for x, t in zip(state, steps, strict=True):
        moments = Moments.of(head, pipeline.sampler, (t,))
        (each,) = transitions(head, pipeline.sampler, condition, rearrange(x, "k m d -> 1 1 (k m) d"), moments)
        found.append(rearrange(each.mean[0], "(k m) d -> k m d", k=chains))
    return torch.stack(found)


def spread(evidence: Evidence, packed: Float[Tensor, "t k m d"], fill: float) -> Float[Tensor, "t k q d"]:
    """Packed values among all tokens of all images, with one value where there are none."""
    full = packed.new_full((*packed.shape[:2], evidence.where.numel(), packed.shape[-1]), fill)
    full[:, :, evidence.where.flatten()] = packed
    return full
