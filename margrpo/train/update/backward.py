"""The gradient of one rollout, with the backward pass streamed.

The backbone's graph is held once for a batch of images at AR steps; every chunk of (transitions x trajectories x
tokens) is scored from a detached condition and back-propagated at once, and the sum of the conditions' gradients goes
through the backbone at the end. Tokens are gathered before the head, so that tokens without loss cost nothing.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Model
from margrpo.nets.dropout import drops
from margrpo.records import Rollout
from margrpo.train.rollout.condition import Condition
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.batches import ImageStep, batches, conditions_of, image_steps
from margrpo.train.update.chunk_loss import ChunkLoss
from margrpo.train.update.grad_cache import GradCache
from margrpo.train.update.method import Method
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.update.step_losses import loss_terms, step_losses
from margrpo.train.update.terms import Terms, terms_of


def backward(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], stats: UpdateStats
) -> None:
    """Add the gradient of −mean over (trained transitions × selected tokens) of w·surrogate to the parameters."""
    stats.selected = [method.selector.select(rollout, step) for step in rollout.steps]
    losses = step_losses(method, rollout, advantages, stats.selected)
    masks = [method.replay.mask(rollout, step) for step in rollout.steps]
    scales = [method.replay.scale(step.guidance) for step in rollout.steps]
    images = image_steps(masks, scales, [each.images for each in losses])
    terms_at = lru_cache(maxsize=1)(lambda step: loss_terms(method, rollout, losses[step]))  # batches come step by step
    alone = method.replay.uses_dropout and drops(pipeline.model)
    loss = ChunkLoss(pipeline, method, rollout.diffusion_steps, stats)
    streamed = _Streamed(loss, rollout, masks)
    for number, batch in enumerate(batches(images, method.budget, alone=alone)):
        terms = terms_of(terms_at, advantages, batch)
        stats.timer.lap("selection")
        # The key is the same for every update of a rollout: at unchanged weights the ratio must be 1.
        first = batch[0]
        key = (*rollout.key, "replay", rollout.steps[first.step].index, *rollout.prompts.keys[first.image])
        with method.replay.mode(pipeline.model, key):
            streamed.batch(number, batch, terms)
    loss.times.backward()


class _Streamed:
    """The backward pass of one rollout: batch by batch, and in each chunk by chunk."""

    def __init__(self, loss: ChunkLoss, rollout: Rollout, masks: Sequence[Tensor]):
        self.loss, self.rollout, self.masks = loss, rollout, masks

    def batch(self, number: int, batch: Sequence[ImageStep], found: Sequence[Terms]) -> None:
        """Back-propagate the loss of some images at some AR steps: its chunks first, then the backbone once."""
        loss, timer, budget = self.loss, self.loss.stats.timer, self.loss.method.budget
        known = self.conditions(loss.pipeline.model, batch)
        anchor, reference = None, loss.method.regularizer.reference
        if reference is not None and any(terms.penalty is not None for terms in found):
            with torch.no_grad():
                anchor = self.conditions(reference, batch)
        timer.lap("backbone")
        cache = GradCache(*(half for half in (known.z, known.null) if half is not None))
        for place, terms in enumerate(found):
            for chunk in terms.chunks(budget.pairs(terms.chains, len(cache.whole))):
                rows = terms.rows[chunk.tokens]
                leaves = cache.leaves(rows)
                leaf = Condition(leaves[0], leaves[1] if len(leaves) > 1 else None, known.scale[rows])
                near = anchor.at(rows) if anchor and terms.penalty is not None else None
                loss.backward(terms, chunk, leaf, near, (number, place))
                cache.add(rows, leaves)
        timer.lap("head")
        cache.backward()
        timer.lap("backbone's backward")

    def conditions(self, model: Model, batch: Sequence[ImageStep]) -> Condition:
        """The condition of every token of a batch, packed."""
        return conditions_of(model, self.rollout, batch, self.masks, dtype=self.loss.pipeline.dtype).packed
