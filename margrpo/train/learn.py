"""The gradient of one rollout, with the backward pass streamed.

The backbone's graph is held once; every piece of (transitions x trajectories x tokens) is scored from a detached
condition and back-propagated at once, and the sum of the conditions' gradients goes through the backbone at the end.
Tokens are gathered before the head, so that what carries no loss costs nothing.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Head
from margrpo.declare import record
from margrpo.maths import gaussian
from margrpo.records import ARStep, Evidence, Rollout
from margrpo.train.chain import Condition, transition
from margrpo.train.parts import Method
from margrpo.train.roll_out import Conditions, Pipeline, conditions


class Tally:
    """What the update counts, and the log-probabilities that later updates of the same rollout compare with."""

    def __init__(self) -> None:
        self.old: dict[tuple[int, ...], Tensor] = {}
        self.surrogate = self.divergence = 0.0
        self.tokens = self.evaluations = 0

    def first(self, name: tuple[int, ...], logp: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
        """The log-probabilities of this piece at the first update."""
        return self.old.setdefault(name, logp.detach())


@record
class Loss:
    """What every piece of the loss shares."""

    pipeline: Pipeline
    method: Method
    transitions: tuple[int, ...]
    weights: Float[Tensor, "t"]
    terms: int
    tally: Tally


def backward(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], tally: Tally
) -> None:
    """Add the gradient of −mean over (trained transitions × selected tokens) of w·surrogate to the parameters.

    Images of zero advantage count in the mean but are not evaluated.
    """
    selected = [method.selector.select(rollout, step) for step in rollout.steps]
    tally.tokens = sum(int(mask.sum()) for mask in selected)
    std = torch.tensor([pipeline.sampler.nominal_std(t) for t in rollout.diffusion_steps], device=pipeline.device)
    terms = max(1, tally.tokens * len(rollout.diffusion_steps))
    loss = Loss(pipeline, method, rollout.diffusion_steps, method.weighting.weights(std), terms, tally)
    for step, mask in zip(rollout.steps, selected, strict=True):
        live = mask & (advantages != 0)[:, None]
        if live.any():
            step_backward(loss, rollout, step, live, advantages)


def step_backward(
    loss: Loss, rollout: Rollout, step: ARStep, live: Bool[Tensor, "b n"], advantages: Float[Tensor, "b"]
) -> None:
    """The loss of one AR step: its pieces first, then the backbone once."""
    scale = loss.method.replay.scale(step.guidance)
    gradient = Gradient(conditions(loss.pipeline.model, step.tokens, step.unknown, rollout.prompts, scale=scale))
    anchor = reference_conditions(loss, rollout, step, scale)
    for place, evidence in enumerate(loss.method.estimator.evidence(rollout, step, live)):
        index = evidence.where.flatten().nonzero()[:, 0]
        for rows in chunks(len(index), evidence.state.shape[1], loss.method.rows):
            leaf = gradient.leaf(index[rows])
            tokens = Piece(evidence, rows, advantages[index[rows] // live.shape[1]], (step.index, place, rows.start))
            near = anchor and Near(anchor[0], anchor[1].of(evidence.where).at(rows))
            piece_backward(loss, tokens, leaf, near)
            gradient.add(index[rows], leaf)
    gradient.flow()


def reference_conditions(loss: Loss, rollout: Rollout, step: ARStep, scale: float) -> tuple[Head, Conditions] | None:
    """The reference's head and its conditions of this AR step, where a penalty has a reference."""
    reference = loss.method.leash.reference
    if reference is None:
        return None
    with torch.no_grad():
        return reference.head, conditions(reference, step.tokens, step.unknown, rollout.prompts, scale=scale)


@record
class Near:
    """The reference's head and its condition of the tokens of a piece."""

    head: Head
    condition: Condition


@record
class Piece:
    """Some tokens of one piece of evidence: which rows, their advantages, and a name that stays over updates."""

    evidence: Evidence
    rows: slice
    advantage: Float[Tensor, "m"]
    name: tuple[int, int, int]


def piece_backward(loss: Loss, piece: Piece, leaf: Condition, near: "Near | None") -> None:
    """Score each trained transition of some tokens and back-propagate it down to their conditions."""
    evidence, sampler, method = piece.evidence, loss.pipeline.sampler, loss.method
    for j, t in enumerate(loss.transitions):
        state, target, std = (x[j, :, piece.rows] for x in (evidence.state, evidence.target, evidence.std))
        mean = transition(loss.pipeline.model.head, sampler, leaf, state, t).mean
        logp = gaussian.log_density(target, mean, std)
        surrogate = method.objective.surrogate(logp, loss.tally.first((*piece.name, t), logp), piece.advantage)
        value = (loss.weights[j] * evidence.weight * surrogate).mean(0).sum() / loss.terms  # k m → ·
        divergence = torch.zeros((), device=mean.device)
        if near is not None:
            with torch.no_grad():
                reference = transition(near.head, sampler, near.condition, state, t).mean
            divergence = method.leash.divergence(mean, reference, std).mean(0).sum() / loss.terms
        (divergence - value).backward()
        loss.tally.surrogate += float(value.detach())
        loss.tally.divergence += float(divergence.detach())
        loss.tally.evaluations += logp.numel()


def chunks(tokens: int, trajectories: int, rows: int) -> Iterator[slice]:
    """Slices of at most rows/trajectories tokens, so that memory does not grow with the number of trajectories."""
    size = max(1, rows // trajectories)
    return (slice(start, min(start + size, tokens)) for start in range(0, tokens, size))


class Gradient:
    """The gradient of the loss by the conditions of one AR step, gathered from pieces."""

    def __init__(self, known: Conditions):
        self.known = known
        self.parts = [part for part in (known.z, known.null) if part is not None]
        self.sums = [torch.zeros_like(part).flatten(0, 1) for part in self.parts]

    def leaf(self, index: Int[Tensor, "m"]) -> Condition:
        """The conditions of some tokens as leaves of a graph of their own."""
        leaves = [part.detach().flatten(0, 1)[index].requires_grad_(part.requires_grad) for part in self.parts]
        return Condition(leaves[0], leaves[1] if len(leaves) > 1 else None, self.known.scale)

    def add(self, index: Int[Tensor, "m"], leaf: Condition) -> None:
        """Take in what has flowed down to a leaf."""
        for total, part in zip(self.sums, (leaf.z, leaf.null), strict=False):
            if part is not None and part.grad is not None:
                total.index_add_(0, index, part.grad)

    def flow(self) -> None:
        """Send the sum through the backbone, where the backbone is trained."""
        if self.known.z.requires_grad:
            torch.autograd.backward(self.parts, [s.view_as(p) for s, p in zip(self.sums, self.parts, strict=True)])
