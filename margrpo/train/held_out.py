"""How good the policy is on prompts it was never trained on, with noise that is the same at every look."""

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Model, Reward
from margrpo.declare import record
from margrpo.maths import divergence
from margrpo.records import Prompts
from margrpo.train.chain import transition
from margrpo.train.condition import conditions
from margrpo.train.judge import score
from margrpo.train.roll_out import NOTHING, Pipeline, Recording, roll_out

BATCH = 100


@record
class Look:
    """Images of held-out prompts and their scores."""

    prompts: Prompts
    images: Float[Tensor, "b 3 h w"]
    scores: Float[Tensor, "b"]


def look(pipeline: Pipeline, prompts: Prompts, measure: tuple[Reward, ...], seed: int) -> Look:
    """Draw each prompt once and score it by the weighted sum of the measures."""
    batches = [prompts.part(slice(start, start + BATCH)) for start in range(0, len(prompts), BATCH)]
    images = torch.cat([roll_out(pipeline, batch, (seed, "held out"), NOTHING).images for batch in batches])
    scores = torch.stack([reward.weight * score(reward, images, prompts) for reward in measure])
    return Look(prompts, images, scores.sum(0))


@torch.no_grad()
def drift(pipeline: Pipeline, origin: Model, prompts: Prompts, seed: int) -> float:
    """KL of a committed token's chain under the policy from the same under `origin`, in nats, averaged over tokens."""
    sampler = pipeline.sampler
    stochastic = tuple(t for t in reversed(range(sampler.steps)) if sampler.has_density(t))
    recording = Recording(tuple(range(pipeline.unmasking.steps)), stochastic)
    rollout = roll_out(pipeline, prompts, (seed, "drift"), recording)
    total, tokens = 0.0, 0
    for step in rollout.steps:
        scale, dtype = step.guidance, pipeline.dtype
        known = conditions(origin, step.tokens, step.unknown, prompts, scale=scale, dtype=dtype).of(step.chain.drawn)
        for j, t in enumerate(stochastic):
            mean = transition(origin.head, sampler, known, step.chain.state[j], t).mean
            total += float(divergence.gaussian_kl(step.chain.mean[j], mean, step.chain.std[j]).sum())
        tokens += int(step.committed.sum())
    return total / tokens


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
