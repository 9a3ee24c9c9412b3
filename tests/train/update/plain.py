"""The loss of one update, written from the design: one graph, dense masks, no gathering, no pieces."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from margrpo.components.estimator import RaoBlackwell, Single
from margrpo.components.objective import Clipped
from margrpo.components.penalty import GaussianKL, K3OfMeans
from margrpo.records import ARStep, Chain, Prediction, Rollout
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.method import Method

Old = dict[tuple[int, int, str], Tensor]


def dense(packed: Tensor, chain: Chain, fill: float) -> Tensor:
    """(t, k, m, d) as (t, k, b, n, d), with a value where nothing was drawn."""
    b, n = chain.drawn.shape
    full = torch.full((*packed.shape[:2], b, n, packed.shape[-1]), fill)
    full[:, :, chain.drawn] = packed
    return full


def means(pipeline: Pipeline, model: object, rollout: Rollout, step: ARStep, *, scale: float, state: Tensor) -> Tensor:
    """μ_θ of every transition (t, k) of every token (b, n), guided by hand."""
    prompts, count = rollout.prompts, len(rollout.prompts)
    z = model.condition(step.tokens, step.unknown, model.prefix(prompts)).flatten(0, 1)
    null = model.condition(step.tokens, step.unknown, model.null_prefix(count)).flatten(0, 1)
    found = []
    for j, t in enumerate(rollout.diffusion_steps):
        x, time, share = state[j].flatten(1, 2), pipeline.sampler.time(t), pipeline.sampler.alpha_bar(t)
        given, none = (alone(model.head, each, x, time, share) for each in (z, null))
        epsilon = none.epsilon + scale * (given.epsilon - none.epsilon)
        mean = pipeline.sampler.transition(x, Prediction(epsilon, given.variance), t).mean
        found.append(mean.view(state[j].shape))
    return torch.stack(found)


def alone(head: object, z: Tensor, x: Tensor, time: float, share: float) -> Prediction:
    """The head's prediction at one time."""
    (moment,) = head.embed_times([time])
    return head.meaning(head(x, head.prepare(z, moment)), x, share)


def log_density(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """ℓ = Σ_d −(x − μ)²/2σ² − log σ − ½ log 2π."""
    return (-((x - mean) ** 2) / (2 * std**2) - std.log() - math.log(2 * math.pi) / 2).sum(-1)


def surrogate(method: Method, logp: Tensor, old: Tensor, advantage: Tensor) -> Tensor:
    """exp(ℓ − sg ℓ)·A, or the clipped ratio."""
    if not isinstance(method.objective, Clipped):
        return (logp - logp.detach()).exp() * advantage
    ratio, clip = (logp - old).clamp(max=20).exp(), method.objective.clip  # e^20 is clipped all the same
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def penalty(given: object, mean: Tensor, reference: Tensor, std: Tensor) -> Tensor:
    """Σ_d (μ − μ_ref)²/2σ², or Σ_d exp(δ) − δ − 1."""
    if isinstance(given, GaussianKL):
        return given.coefficient * ((mean - reference) ** 2 / (2 * std**2)).sum(-1)
    assert isinstance(given, K3OfMeans)
    delta = reference - mean
    return given.coefficient * (delta.exp() - delta - 1).sum(-1)


def loss(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Tensor, *, old: Old, given: object = None
) -> Tensor:
    """−mean over (trained transitions × selected tokens) of w·surrogate, and the penalty's mean."""
    estimator, total, count = method.estimator, torch.zeros(()), 0
    std = torch.tensor([pipeline.sampler.nominal_std(t) for t in rollout.diffusion_steps])
    weights = method.weighting.weights(std)[:, None, None, None]
    live = (advantages != 0)[:, None]
    for step in rollout.steps:
        selected = method.selector.select(rollout, step)
        count += int(selected.sum())
        marked = torch.zeros_like(selected)
        if not isinstance(estimator, Single):
            marked = selected & (estimator.where.select(rollout, step) if estimator.where else selected)
        expected = isinstance(estimator, RaoBlackwell)
        parts = [("main", step.chain, selected & ~marked, expected & ~step.committed, 1.0)]
        if marked.any():
            chains = rollout.trajectories.some(0, estimator.trajectories)
            parts.append(("again", chains, marked, torch.full_like(marked, expected), estimator.weight))
        for name, chain, mask, integrated, weight in parts:
            state, drawn, mean_b = (dense(x, chain, 0.0) for x in (chain.state, chain.next, chain.mean))
            sigma = dense(chain.std, chain, 1.0)
            scale = method.replay.scale(step.guidance)
            mean = means(pipeline, pipeline.model, rollout, step, scale=scale, state=state)
            logp = log_density(torch.where(integrated[..., None], mean_b, drawn), mean, sigma) * (mask & live)
            before = old.setdefault((step.index, 0, name), logp.detach())
            term = weight * weights * surrogate(method, logp, before, advantages[:, None])
            total = total - (term.mean(1) * (mask & live)).sum()
            if given is not None:
                with torch.no_grad():
                    reference = method.regularizer.reference
                    anchor = means(pipeline, reference, rollout, step, scale=scale, state=state)
                total = total + (penalty(given, mean, anchor, sigma).mean(1) * (mask & live)).sum()
    return total / (count * len(rollout.diffusion_steps))


def at_other_weights(pipeline: Pipeline, seed: int, share: float) -> Pipeline:
    """The same pipeline with its weights moved a little, in place."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in pipeline.model.parameters():
            value.add_(share * torch.randn(value.shape, generator=generator))
    return replace(pipeline)
