"""Token maps of a few held-out images: the AR step that committed each token, and its part in an update."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from margrpo.declare import record
from margrpo.maths import consistency, uncertainty
from margrpo.records import ARStep, Prompts, Rollout
from margrpo.train.assemble import Session, virtual_steps
from margrpo.train.rollout.roll_out import Recording, roll_out

FRAMES = 16
"""Largest number of AR steps in the maps."""
CHAINS = 4
"""Number of chains whose spread is shown if the recipe needs none."""


@record
class Maps:
    """Token maps of some images at s of the AR steps; unknown values are NaN.

    - `steps`: the AR steps.
    - `frames`: each image as if all its tokens were committed in the AR step.
    - `committed`: AR step that committed each token.
    - `spread`: std of a token's K chains, averaged over channels.
    - `gain`: gain in cosine similarity between a token's prediction and the finished image since the AR step before.
    - `selected`: tokens that the recipe's selector chooses.
    - `weight`: weight of a selected token in the recipe's estimator.
    """

    steps: Int[Tensor, "s"]
    frames: UInt8[Tensor, "s b 3 h w"]
    committed: Int[Tensor, "b n"]
    spread: Float[Tensor, "b n"]
    gain: Float[Tensor, "s b n"]
    selected: Bool[Tensor, "s b n"]
    weight: Float[Tensor, "s b n"]

    def arrays(self, kl: Float[Tensor, "b n"]) -> dict[str, Any]:
        """The arrays to write, with the KL of each token."""
        return {name: value.numpy() for name, value in {**vars(self), "kl": kl}.items()}


@torch.no_grad()
def maps_of(session: Session, prompts: Prompts) -> Maps:
    """Draw held-out prompts as in a validation, and record what the maps, the selector and the estimator need."""
    pipeline, recipe = session.pipeline, session.recipe
    count = pipeline.unmasking.steps
    kept = tuple(sorted({round(i * (count - 1) / max(1, min(FRAMES, count) - 1)) for i in range(min(FRAMES, count))}))
    needs = session.method.selector.needs() | session.method.estimator.needs()
    needs = replace(needs, trajectories=max(needs.trajectories, CHAINS), virtual=True, previous=True)
    recording = Recording(kept, (), virtual_steps(kept, needs), needs.trajectories)
    rollout = roll_out(pipeline, prompts, (recipe.run.seed, "held out"), recording)
    assert rollout.trajectories is not None
    selected = [session.method.selector.select(rollout, step) for step in rollout.steps]
    return Maps(
        steps=torch.tensor(kept),
        frames=torch.stack([bytes_of(pipeline.codec.decode(predicted(step))) for step in rollout.steps]).cpu(),
        committed=committed_at(rollout.order, pipeline.unmasking.counts(rollout.tokens.shape[1])).cpu(),
        spread=uncertainty.uncertainty(rollout.trajectories.sample).view(rollout.order.shape).cpu(),
        gain=torch.stack([gain(rollout, step) for step in rollout.steps]).cpu(),
        selected=torch.stack(selected).cpu(),
        weight=torch.stack(
            [weight(session, rollout, step, mask) for step, mask in zip(rollout.steps, selected, strict=True)]
        ).cpu(),
    )


def predicted(step: ARStep) -> Float[Tensor, "b n d"]:
    """The tokens of an AR step, with the step's draws in place of unknown tokens."""
    return step.tokens.masked_scatter(step.unknown[..., None], step.chain.sample[0])


def gain(rollout: Rollout, step: ARStep) -> Float[Tensor, "b n"]:
    """The gain in cosine similarity of each unknown token's prediction to the finished image since the step before."""
    found = torch.full(step.unknown.shape, torch.nan, device=step.tokens.device)
    if step.previous is None:
        return found
    there = step.unknown
    moved = consistency.progress(step.chain.sample[0], step.previous[there], rollout.tokens[there])
    return found.masked_scatter(there, moved)


def weight(session: Session, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """The weight of each token in the loss, before its image's advantage."""
    found = torch.zeros(selected.shape, device=selected.device)
    for each in session.method.estimator.transitions(rollout, step, selected):
        found = found + each.weight * each.where
    return found


def committed_at(order: Int[Tensor, "b n"], counts: tuple[int, ...]) -> Int[Tensor, "b n"]:
    """The AR step that commits each token, by its place in the order and the unknown tokens after each step."""
    after = torch.tensor(counts[1:], device=order.device)
    return (order[..., None] < after).sum(-1)


def bytes_of(images: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 h w"]:
    """Images with values in [0, 1] as bytes."""
    return (images.clamp(0, 1).nan_to_num(0) * 255).round().to(torch.uint8)
