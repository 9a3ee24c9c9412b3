"""The loss of the update, computed densely: the head on every token and chain, masked afterwards, in one graph.

`margrpo bench step --against dense` compares the update with this naive implementation. Tokens are not gathered before
the head, every chain has a modulation of its own, and back-propagation waits until the end.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Head, Model
from margrpo.maths import gaussian
from margrpo.records import Rollout, Transitions
from margrpo.train.rollout.condition import Condition, conditions_at
from margrpo.train.rollout.reverse_process import ReverseProcess
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.method import Method
from margrpo.train.update.step_losses import LossTerm, StepLoss, loss_terms, step_losses


def dense_loss(
    pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"]
) -> Float[Tensor, ""]:
    """The loss whose gradient `margrpo.train.update.backward.backward` adds to the parameters, as one graph."""
    return _Dense(pipeline, method, rollout, advantages).loss()


class _Dense:
    """The dense loss of a rollout, AR step by AR step."""

    def __init__(self, pipeline: Pipeline, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"]):
        self.pipeline, self.method, self.rollout, self.advantages = pipeline, method, rollout, advantages
        std = torch.tensor([pipeline.sampler.nominal_std(t) for t in rollout.diffusion_steps], device=pipeline.device)
        self.weights = method.weighting.weights(std)

    def loss(self) -> Float[Tensor, ""]:
        """The loss, summed over AR steps."""
        method, rollout = self.method, self.rollout
        selected = [method.selector.select(rollout, step) for step in rollout.steps]
        total = torch.zeros((), device=self.pipeline.device)
        with method.replay.mode(self.pipeline.model, (*rollout.key, "replay")):
            for each in step_losses(method, rollout, self.advantages, selected):
                known, reference = self.conditions(self.pipeline.model, each), None
                if method.regularizer.reference is not None:
                    with torch.no_grad():
                        reference = self.conditions(method.regularizer.reference, each)
                for term in loss_terms(method, rollout, each):
                    total = total + self.term(term, known, reference)
        return total

    def conditions(self, model: Model, loss: StepLoss) -> Condition:
        """The condition of every token at an AR step."""
        replay, rollout, step = self.method.replay, self.rollout, loss.step
        scale, mask = replay.scale(step.guidance), replay.mask(rollout, step)
        return conditions_at(model, step, rollout.prompts, scale=scale, mask=mask, dtype=self.pipeline.dtype)

    def term(self, term: LossTerm, known: Condition, reference: Condition | None) -> Float[Tensor, ""]:
        """The contribution of a term, computed for all tokens and masked."""
        method, where = self.method, term.transitions.where
        filled = zip(term.transitions.part(), (0.0, 0.0, 1.0), strict=True)
        state, target, std = (spread(term.transitions, x, fill) for x, fill in filled)
        mean = self.means(self.pipeline.model.head, known, state)
        loss = torch.zeros((), device=mean.device)
        if term.surrogate is not None:
            logp = gaussian.log_density(target, mean, std, floor=method.replay.min_variance)
            logp = logp * where.flatten()  # what is masked has no meaning, and must not reach an exponential
            flat = rearrange(logp, "t k m -> (t k) m")
            each = repeat(self.advantages, "b -> (b n)", n=where.shape[1])
            surrogate = method.objective.surrogate(flat, flat.detach(), each).view_as(logp)
            terms = (self.weights[:, None, None] * surrogate * where.flatten()).mean(1)
            loss = loss - term.transitions.weight * terms.sum() / term.surrogate
        if term.penalty is not None and reference is not None and method.regularizer.reference is not None:
            with torch.no_grad():
                anchor = self.means(method.regularizer.reference.head, reference, state)
            flat_means = (rearrange(x, "t k m d -> (t k) m d") for x in (mean, anchor, std))
            divergence = method.regularizer.divergence(*flat_means).view(mean.shape[:-1])
            loss = loss + (divergence * where.flatten()).mean(1).sum() / term.penalty
        return loss

    def means(self, head: Head, known: Condition, state: Float[Tensor, "t k m d"]) -> Float[Tensor, "t k m d"]:
        """μ of every transition of every chain of every token, each chain with its own modulation."""
        chains, one = state.shape[1], known.packed
        null = None if one.null is None else one.null.repeat(chains, 1)
        condition = Condition(one.z.repeat(chains, 1), null, one.scale.repeat(chains, 1))
        found = []
        for x, t in zip(state, self.rollout.diffusion_steps, strict=True):
            process = ReverseProcess.of(head, self.pipeline.sampler, (t,))
            (each,) = process.step_gaussians(condition, rearrange(x, "k m d -> 1 1 (k m) d"))
            found.append(rearrange(each.mean[0], "(k m) d -> k m d", k=chains))
        return torch.stack(found)


def spread(transitions: Transitions, packed: Float[Tensor, "t k m d"], fill: float) -> Float[Tensor, "t k q d"]:
    """Packed values at their places among all tokens of all images, and `fill` at other places."""
    full = packed.new_full((*packed.shape[:2], transitions.where.numel(), packed.shape[-1]), fill)
    full[:, :, transitions.where.flatten()] = packed
    return full
