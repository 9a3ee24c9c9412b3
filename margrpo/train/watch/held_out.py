"""The policy's score on held-out prompts, with equal noise at every validation."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Model, Processes
from margrpo.declare import record
from margrpo.maths import divergence
from margrpo.records import Prompts, Rollout
from margrpo.train.rollout.condition import conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from margrpo.train.rollout.roll_out import NOTHING, Pipeline, Recording, roll_out
from margrpo.train.verdict.judge import score
from margrpo.train.verdict.scorers import Scorers

BATCH = 32
"""Prompts drawn at once; it does not depend on the number of processes, so that images are equal."""


@record
class Validation:
    """Images of held-out prompts, their scores, and the KL of each token from the base model; 0 without one."""

    prompts: Prompts
    images: Float[Tensor, "b 3 h w"]
    scores: Float[Tensor, "b"]
    kl: Float[Tensor, "b n"]


def validate(
    pipeline: Pipeline,
    prompts: Prompts,
    measure: Scorers,
    seed: int,
    *,
    processes: Processes | None = None,
    base: Model | None = None,
) -> Validation:
    """Draw each prompt once and score it by the weighted sum of `measure`, 0 without any. *Collective*.

    With a `base` model, each token's chain is also compared with the chain under `base`.
    """
    images, scores = torch.zeros(0), torch.zeros(len(prompts), device=pipeline.device)
    kl = torch.zeros(len(prompts), pipeline.model.tokens, device=pipeline.device)
    recording = NOTHING if base is None else whole(pipeline)
    for start in own_batches(len(prompts), processes):
        some = slice(start, start + BATCH)
        rollout = roll_out(pipeline, prompts.part(some), (seed, "held out"), recording)
        drawn = rollout.images
        images = images if len(images) else torch.zeros(len(prompts), *drawn.shape[1:], device=pipeline.device)
        images[some] = drawn
        scores[some] = scored(measure, drawn, prompts.part(some))
        if base is not None:
            kl[some] = divergence_of(pipeline, base, rollout)
    if processes is not None:
        images, scores = together(images, len(prompts), processes), processes.all_reduce(scores)
        kl = kl if base is None else processes.all_reduce(kl)
    return Validation(prompts, images, scores, kl)


def scored(measure: Scorers, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
    """The weighted sum of `measure`; if images are not finite, nothing is scored and all scores are NaN."""
    if not images.isfinite().all():
        return torch.full((len(prompts),), torch.nan, device=images.device)
    if not measure:
        return torch.zeros(len(prompts), device=images.device)
    return torch.stack([each.weight * score(each, images, prompts) for each in measure]).sum(0)


def own_batches(count: int, processes: Processes | None) -> range:
    """First indices of this process's batches of held-out prompts."""
    rank, among = (0, 1) if processes is None else (processes.rank, processes.world_size)
    return range(rank * BATCH, count, among * BATCH)


def together(images: Float[Tensor, "b ..."], count: int, processes: Processes) -> Float[Tensor, "b 3 h w"]:
    """The images of all processes; a process without a batch learns their size from the other processes."""
    sizes = processes.all_gather(torch.tensor(images.shape[1:] if len(images) else (0, 0, 0)))
    channels, height, width = sizes.amax(0).tolist()
    return processes.all_reduce(images if len(images) else images.new_zeros(count, channels, height, width))


@torch.no_grad()
def drift(
    pipeline: Pipeline, base: Model, prompts: Prompts, seed: int, processes: Processes | None = None
) -> Float[Tensor, "b n"]:
    """KL in nats of each token's chain, at the AR step that committed it, from the chain under `base`.

    The images are drawn as in a validation.
    """
    found = torch.zeros(len(prompts), pipeline.model.tokens, device=pipeline.device)
    for start in own_batches(len(prompts), processes):
        some = slice(start, start + BATCH)
        rollout = roll_out(pipeline, prompts.part(some), (seed, "held out"), whole(pipeline))
        found[some] = divergence_of(pipeline, base, rollout)
    return found if processes is None else processes.all_reduce(found)


def whole(pipeline: Pipeline) -> Recording:
    """A recording of every AR step, with every transition that has a density."""
    sampler = pipeline.sampler
    stochastic = tuple(t for t in reversed(range(sampler.steps)) if sampler.has_density(t))
    return Recording(tuple(range(pipeline.unmasking.steps)), stochastic)


@torch.no_grad()
def divergence_of(pipeline: Pipeline, base: Model, rollout: Rollout) -> Float[Tensor, "b n"]:
    """The KL of each committed token of a rollout that was recorded whole."""
    sampler, prompts = pipeline.sampler, rollout.prompts
    found = torch.zeros(rollout.order.shape, device=rollout.tokens.device)
    for step in rollout.steps:
        known = conditions_at(base, step, prompts, dtype=pipeline.dtype).of(step.chain.drawn)
        total = torch.zeros(step.chain.sample.shape[1], device=found.device)
        for j, t in enumerate(rollout.diffusion_steps):
            mean = step_gaussian(base.head, sampler, known, step.chain.state[j], t).mean
            total = total + divergence.gaussian_kl(step.chain.mean[j], mean, step.chain.std[j])[0]
        found = found.masked_scatter(step.committed, total)
    return found


def half_width(scores: Float[Tensor, "b"]) -> float:
    """Half of the 95 % interval of the mean over prompts, by Student's t; NaN for fewer than two."""
    from scipy.stats import t

    count = len(scores)
    return float(t.ppf(0.975, count - 1) * scores.double().std() / count**0.5) if count > 1 else math.nan


def paired_difference(before: Float[Tensor, "b"], after: Float[Tensor, "b"]) -> dict[str, object]:
    """Means before and after, their difference, and its 95 % interval by Student's t on the pairs."""
    from scipy.stats import ttest_1samp

    change = (after - before).double().cpu().numpy()
    interval = ttest_1samp(change, 0.0).confidence_interval(0.95) if change.std() > 0 else (change.mean(),) * 2
    return {
        "before": float(before.mean()),
        "after": float(after.mean()),
        "difference": float(change.mean()),
        "ci95": [float(interval[0]), float(interval[1])],
        "prompts": len(change),
    }
