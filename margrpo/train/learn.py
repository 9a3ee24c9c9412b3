"""The gradient of one rollout, with the backward pass streamed.

The backbone's graph is held once; every piece of (transitions x trajectories x tokens) is scored from a detached
condition and back-propagated at once, and the sum of the conditions' gradients goes through the backbone at the end.
Tokens are gathered before the head, so that what carries no loss costs nothing.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from margrpo.declare import record
from margrpo.maths import gaussian
from margrpo.records import Rollout
from margrpo.train.chain import Condition, transition
from margrpo.train.parts import Method
from margrpo.train.roll_out import Conditions, Pipeline, conditions
from margrpo.train.shares import Part, Share, parts_of, shares


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
    tally: Tally


def backward(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"], tally: Tally
) -> None:
    """Add the gradient of −mean over (trained transitions × selected tokens) of w·surrogate to the parameters."""
    selected = [method.selector.select(rollout, step) for step in rollout.steps]
    tally.tokens = sum(int(mask.sum()) for mask in selected)
    std = torch.tensor([pipeline.sampler.nominal_std(t) for t in rollout.diffusion_steps], device=pipeline.device)
    loss = Loss(pipeline, method, rollout.diffusion_steps, method.weighting.weights(std), tally)
    # The key is the same for every update of a rollout: at unchanged weights the ratio must be 1.
    with method.replay.playing(pipeline.model, (*rollout.key, "replay")):
        for share in shares(method, rollout, advantages, selected):
            if share.live.any() or (share.held is not None and share.held.any()):
                step_backward(loss, rollout, share, advantages)


def step_backward(loss: Loss, rollout: Rollout, share: Share, advantages: Float[Tensor, "b"]) -> None:
    """The loss of one AR step: its pieces first, then the backbone once."""
    method, step = loss.method, share.step
    unknown, scale = method.replay.unknown(rollout, step), method.replay.scale(step.guidance)
    known = conditions(loss.pipeline.model, step.tokens, unknown, rollout.prompts, scale=scale)
    anchor, gradient = None, Gradient(known)
    if method.leash.reference is not None:
        with torch.no_grad():
            anchor = conditions(method.leash.reference, step.tokens, unknown, rollout.prompts, scale=scale)
    for place, part in enumerate(parts_of(method, rollout, share)):
        evidence = part.evidence
        index = evidence.where.flatten().nonzero()[:, 0]
        for rows in chunks(len(index), evidence.state.shape[1], method.rows):
            leaf = gradient.leaf(index[rows])
            near = anchor.of(evidence.where).at(rows) if anchor and part.penalty else None
            images = index[rows] // evidence.where.shape[1]
            piece_backward(loss, Piece(part, rows, advantages[images], near, (step.index, place, rows.start)), leaf)
            gradient.add(index[rows], leaf)
    gradient.flow()


@record
class Piece:
    """Some tokens of a part: which rows, their advantages, the reference's conditions, and a name for all updates."""

    part: Part
    rows: slice
    advantage: Float[Tensor, "m"]
    near: Condition | None
    name: tuple[int, int, int]


def piece_backward(loss: Loss, piece: Piece, leaf: Condition) -> None:
    """Score each trained transition of some tokens and back-propagate it down to their conditions."""
    evidence, sampler, tally = piece.part.evidence, loss.pipeline.sampler, loss.tally
    for j, t in enumerate(loss.transitions):
        state, target, std = (x[j, :, piece.rows] for x in (evidence.state, evidence.target, evidence.std))
        mean = transition(loss.pipeline.model.head, sampler, leaf, state, t).mean
        value = divergence = torch.zeros((), device=mean.device)
        if piece.part.surrogate is not None:
            logp = gaussian.log_density(target, mean, std, floor=loss.method.replay.floor)
            before = tally.first((*piece.name, t), logp)
            surrogate = loss.method.objective.surrogate(logp, before, piece.advantage)
            value = (loss.weights[j] * evidence.weight * surrogate).mean(0).sum() / piece.part.surrogate  # k m → ·
        if piece.near is not None and piece.part.penalty is not None:
            divergence = penalised(loss, piece, mean, j).mean(0).sum() / piece.part.penalty
        (divergence - value).backward()
        tally.surrogate += float(value.detach())
        tally.divergence += float(divergence.detach())
        tally.evaluations += mean[..., 0].numel()


def penalised(loss: Loss, piece: Piece, mean: Float[Tensor, "k m d"], j: int) -> Float[Tensor, "k m"]:
    """The divergence of transition number j from the reference's, for the tokens of a piece."""
    leash, evidence = loss.method.leash, piece.part.evidence
    state, std, t = evidence.state[j, :, piece.rows], evidence.std[j, :, piece.rows], loss.transitions[j]
    assert leash.reference is not None
    assert piece.near is not None
    with torch.no_grad():
        reference = transition(leash.reference.head, loss.pipeline.sampler, piece.near, state, t).mean
    return leash.divergence(mean, reference, std)


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
