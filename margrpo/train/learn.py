"""The gradient of one rollout, with the backward pass streamed.

The backbone's graph is held once for a batch of images at AR steps; every piece of (transitions x trajectories x
tokens) is scored from a detached condition and back-propagated at once, and the sum of the conditions' gradients goes
through the backbone at the end. Tokens are gathered before the head, so that what carries no loss costs nothing.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from margrpo.declare import record
from margrpo.maths import gaussian
from margrpo.nets.dropout import drops
from margrpo.records import Rollout
from margrpo.train.batches import Unit, batches, conditions_of, units_of
from margrpo.train.chain import Moments, transitions
from margrpo.train.condition import Condition
from margrpo.train.cut import Cut
from margrpo.train.meter import UNMEASURED, Meter
from margrpo.train.parts import Method
from margrpo.train.roll_out import Pipeline
from margrpo.train.shares import parts_of, shares
from margrpo.train.terms import Piece, Terms, terms_of


class Tally:
    """What the update counts, and the log-probabilities that later updates of the same rollout compare with.

    The meter is stopped after each "selection", "backbone", "head" and "backbone's backward".
    """

    def __init__(self, meter: Meter = UNMEASURED) -> None:
        self.meter = meter
        self.old: dict[tuple[int, ...], Tensor] = {}
        self.surrogate: Tensor | float = 0.0
        self.divergence: Tensor | float = 0.0
        self.moved: Tensor | float = 0.0
        self.scored = 0
        self.selected: list[Tensor] = []
        self.evaluations = 0
        self.finite: Tensor | bool = True

    @property
    def tokens(self) -> int:
        """Selected tokens, of images without an advantage too."""
        return sum(int(mask.sum()) for mask in self.selected)

    def restart(self) -> None:
        """Begin another update of the same rollout."""
        self.surrogate = self.divergence = self.moved = 0.0
        self.scored, self.finite = 0, True

    def first(self, name: tuple[int, ...], logp: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
        """The log-probabilities of this piece at the first update."""
        return self.old.setdefault(name, logp.detach())


@record
class Loss:
    """What every piece of the loss shares; `anchor` is what the penalty's reference makes of the times."""

    pipeline: Pipeline
    method: Method
    weights: Float[Tensor, "t"]
    moments: Moments
    anchor: Moments | None
    times: Cut
    tally: Tally

    @classmethod
    def of(cls, pipeline: Pipeline, method: Method, transitions: tuple[int, ...], tally: Tally) -> "Loss":
        """Embed the trained transitions' times, once for the whole update."""
        sampler, reference = pipeline.sampler, method.leash.reference
        std = torch.tensor([sampler.nominal_std(t) for t in transitions], device=pipeline.device)
        moments = Moments.of(pipeline.model.head, sampler, transitions)
        with torch.no_grad():
            anchor = None if reference is None else Moments.of(reference.head, sampler, transitions)
        return cls(pipeline, method, method.weighting.weights(std), moments, anchor, Cut(moments.embedded), tally)


def backward(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], tally: Tally
) -> None:
    """Add the gradient of −mean over (trained transitions × selected tokens) of w·surrogate to the parameters."""
    tally.selected = [method.selector.select(rollout, step) for step in rollout.steps]
    every = shares(method, rollout, advantages, tally.selected)
    unknown = [method.replay.unknown(rollout, step) for step in rollout.steps]
    scales = [method.replay.scale(step.guidance) for step in rollout.steps]
    units = units_of(unknown, scales, [share.images for share in every])
    parts = lru_cache(maxsize=1)(lambda step: parts_of(method, rollout, every[step]))  # batches come step by step
    alone = method.replay.draws and drops(pipeline.model)
    loss = Loss.of(pipeline, method, rollout.diffusion_steps, tally)
    for number, batch in enumerate(batches(units, method.budget, alone=alone)):
        terms = terms_of(parts, advantages, batch)
        tally.meter.stop("selection")
        # The key is the same for every update of a rollout: at unchanged weights the ratio must be 1.
        first = batch[0]
        key = (*rollout.key, "replay", rollout.steps[first.step].index, *rollout.prompts.keys[first.image])
        with method.replay.playing(pipeline.model, key):
            batch_backward(loss, rollout, batch, unknown, terms, number)
    loss.times.flow()


def batch_backward(
    loss: Loss, rollout: Rollout, batch: Sequence[Unit], unknown: Sequence[Tensor], found: Sequence[Terms], number: int
) -> None:
    """The loss of some images at some AR steps: its pieces first, then the backbone once."""
    model, reference, dtype = loss.pipeline.model, loss.method.leash.reference, loss.pipeline.dtype
    known = conditions_of(model, rollout, batch, unknown, dtype=dtype).packed
    anchor = None
    if reference is not None and any(terms.penalty is not None for terms in found):
        with torch.no_grad():
            anchor = conditions_of(reference, rollout, batch, unknown, dtype=dtype).packed
    loss.tally.meter.stop("backbone")
    cut = Cut(*(part for part in (known.z, known.null) if part is not None))
    for place, terms in enumerate(found):
        size = loss.method.budget.pairs(terms.chains, len(cut.whole))
        for piece in terms.cut(size):
            rows = terms.rows[piece.tokens]
            leaves = cut.leaves(rows)
            near = anchor.at(rows) if anchor and terms.penalty is not None else None
            leaf = Condition(leaves[0], leaves[1] if len(leaves) > 1 else None, known.at(rows).scale)
            piece_backward(loss, terms, piece, leaf, near, (number, place))
            cut.add(rows, leaves)
    loss.tally.meter.stop("head")
    cut.flow()
    loss.tally.meter.stop("backbone's backward")


def piece_backward(
    loss: Loss, terms: Terms, piece: Piece, leaf: Condition, near: Condition | None, name: tuple[int, int]
) -> None:
    """Score some transitions of some tokens and back-propagate them down to the tokens' conditions."""
    sampler, method, tally, j, m = loss.pipeline.sampler, loss.method, loss.tally, piece.transitions, piece.tokens
    state, target, std = terms.gathered(piece)
    places = torch.arange(j.start, j.stop, device=state.device)
    embedded = loss.times.leaves(places)
    moments = Moments(loss.moments.transitions[j], embedded[0])
    mean = torch.stack([each.mean for each in transitions(loss.pipeline.model.head, sampler, leaf, state, moments)])
    value = divergence = torch.zeros((), device=mean.device)
    if terms.surrogate is not None:
        logp = rearrange(gaussian.log_density(target, mean, std, floor=method.replay.floor), "t k m -> (t k) m")
        before = tally.first((*name, m.start, j.start), logp)
        tally.moved = tally.moved + (logp.detach() - before).abs().sum()
        tally.scored += logp.numel()
        surrogate = method.objective.surrogate(logp, before, terms.advantage[m]).view(mean.shape[:-1])
        value = ((loss.weights[j, None, None] * surrogate).mean(1) * terms.surrogate[m]).sum()  # t k m → t m → ·
    if near is not None and terms.penalty is not None:
        divergence = (penalised(loss, mean, near, state, std, j) * terms.penalty[m]).sum()
    (divergence - value).backward()
    tally.finite = tally.finite & torch.isfinite(value.detach()) & torch.isfinite(divergence.detach())
    loss.times.add(places, embedded)
    tally.surrogate = tally.surrogate + value.detach()
    tally.divergence = tally.divergence + divergence.detach()
    tally.evaluations += mean[..., 0].numel()


def penalised(
    loss: Loss,
    mean: Float[Tensor, "t k m d"],
    near: Condition,
    state: Float[Tensor, "t k m d"],
    std: Float[Tensor, "t k m d"],
    places: slice,
) -> Float[Tensor, "t m"]:
    """The divergence of some transitions from the reference's, averaged over the chains of each token."""
    leash, of = loss.method.leash, loss.anchor
    assert leash.reference is not None
    assert of is not None
    with torch.no_grad():
        found = transitions(leash.reference.head, loss.pipeline.sampler, near, state, of.at(places))
        reference = torch.stack([each.mean for each in found])
    flat = (rearrange(x, "t k m d -> (t k) m d") for x in (mean, reference, std))
    return leash.divergence(*flat).view(mean.shape[:-1]).mean(1)  # t k m → t m
