"""The loss of a chunk: some transitions of some tokens, scored and back-propagated at once."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from margrpo.maths import gaussian
from margrpo.train.rollout.condition import Condition
from margrpo.train.rollout.reverse_process import ReverseProcess
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.grad_cache import GradCache
from margrpo.train.update.method import Method
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.update.terms import Chunk, Terms


class ChunkLoss:
    """The parts that all chunks of a rollout's loss share.

    - `weights`: the weight of each trained transition.
    - `process`: the policy's reverse process at the trained transitions.
    - `anchor`: the reverse process of the penalty's reference; None without a reference.
    - `times`: the cut below which the head's time embedding is back-propagated, once for all chunks.
    """

    def __init__(self, pipeline: Pipeline, method: Method, transitions: tuple[int, ...], stats: UpdateStats):
        self.pipeline, self.method, self.stats = pipeline, method, stats
        sampler, reference = pipeline.sampler, method.regularizer.reference
        std = torch.tensor([sampler.nominal_std(t) for t in transitions], device=pipeline.device)
        self.process = ReverseProcess.of(pipeline.model.head, sampler, transitions)
        with torch.no_grad():
            self.anchor = None if reference is None else ReverseProcess.of(reference.head, sampler, transitions)
        self.weights: Float[Tensor, "t"] = method.weighting.weights(std)
        self.times = GradCache(self.process.times)

    def backward(
        self, terms: Terms, chunk: Chunk, leaf: Condition, near: Condition | None, name: tuple[int, int]
    ) -> None:
        """Score a chunk and back-propagate it down to the tokens' conditions.

        `leaf` is the tokens' condition cut off from its graph, `near` their condition under the penalty's reference.
        """
        method, stats, t, m = self.method, self.stats, chunk.transitions, chunk.tokens
        state, target, std = terms.gathered(chunk)
        places = torch.arange(t.start, t.stop, device=state.device)
        (times,) = self.times.leaves(places)
        process = ReverseProcess(self.process.head, self.process.sampler, self.process.transitions[t], times)
        mean = torch.stack([each.mean for each in process.step_gaussians(leaf, state)])
        value = divergence = torch.zeros((), device=mean.device)
        if terms.surrogate is not None:
            logp = gaussian.log_density(target, mean, std, floor=method.replay.min_variance)
            logp = rearrange(logp, "t k m -> (t k) m")
            before = stats.old.first((*name, m.start, t.start), logp)
            stats.add_ratio(logp, before)
            surrogate = method.objective.surrogate(logp, before, terms.advantage[m]).view(mean.shape[:-1])
            value = ((self.weights[t, None, None] * surrogate).mean(1) * terms.surrogate[m]).sum()  # t k m → t m → ·
        if near is not None and terms.penalty is not None:
            divergence = (self.penalised(mean, near, state, std, t) * terms.penalty[m]).sum()
        (divergence - value).backward()
        self.times.add(places, [times])
        stats.add_loss(value.detach(), divergence.detach(), evaluations=mean[..., 0].numel())

    def penalised(
        self,
        mean: Float[Tensor, "t k m d"],
        near: Condition,
        state: Float[Tensor, "t k m d"],
        std: Float[Tensor, "t k m d"],
        places: slice,
    ) -> Float[Tensor, "t m"]:
        """The divergence of a chunk's transitions from the reference's, averaged over the chains of each token."""
        assert self.anchor is not None
        with torch.no_grad():
            found = self.anchor.at(places).step_gaussians(near, state)
            reference = torch.stack([each.mean for each in found])
        flat = (rearrange(x, "t k m d -> (t k) m d") for x in (mean, reference, std))
        return self.method.regularizer.divergence(*flat).view(mean.shape[:-1]).mean(1)  # t k m → t m
