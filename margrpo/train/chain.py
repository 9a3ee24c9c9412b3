"""Reverse diffusions of packed tokens under a condition."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.contracts import Head, Sampler
from margrpo.declare import record
from margrpo.maths import diffusion
from margrpo.records import Chain, Gaussian, Prediction


@record
class Condition:
    """What the head is told about packed tokens: z, and with guidance z_∅ and the scale of each token."""

    z: Float[Tensor, "m c"]
    null: Float[Tensor, "m c"] | None
    scale: Float[Tensor, "m 1"] | float

    def at(self, rows: Tensor | slice) -> "Condition":
        """The condition of some of the tokens."""
        scale = self.scale[rows] if isinstance(self.scale, Tensor) else self.scale
        return Condition(self.z[rows], None if self.null is None else self.null[rows], scale)


def predict(head: Head, sampler: Sampler, condition: Condition, x: Float[Tensor, "k m d"], t: int) -> Prediction:
    """The head's prediction for x_t, guided where the condition has a scale; both halves in one pass."""
    time, alpha_bar = sampler.time(t), sampler.alpha_bar(t)
    if condition.null is None:
        return head(x, head.prepare(condition.z, time), alpha_bar)
    modulation = head.prepare(torch.cat([condition.z, condition.null]), time)
    both = head(torch.cat([x, x], dim=1), modulation, alpha_bar)
    return diffusion.guided(*both.halves(), condition.scale)


def transition(head: Head, sampler: Sampler, condition: Condition, x: Float[Tensor, "k m d"], t: int) -> Gaussian:
    """The distribution of x_{t−1} given x_t."""
    return sampler.transition(x, predict(head, sampler, condition, x, t), t)


@torch.no_grad()
def draw(
    head: Head,
    sampler: Sampler,
    condition: Condition,
    noise: Float[Tensor, "u k m d"],
    *,
    keep: Sequence[int],
    drawn: Bool[Tensor, "b n"],
) -> Chain:
    """k chains for each token from u = T + 1 noises, the first of them x_T; only the transitions in `keep` are kept."""
    x, kept = noise[0], []
    for place, t in enumerate(reversed(range(sampler.steps))):
        gaussian = transition(head, sampler, condition, x, t)
        after = gaussian.mean + gaussian.std * noise[place + 1] if sampler.draws_noise(t) else gaussian.mean
        if t in keep:
            kept.append((x, after, gaussian.mean, gaussian.std))
        x = after
    state, following, mean, std = [torch.stack(column) for column in zip(*kept, strict=True)] or [noise[:0]] * 4
    return Chain(state, following, mean, std, sample=x, drawn=drawn)


def packed(noise: Float[Tensor, "b k u n d"], drawn: Bool[Tensor, "b n"]) -> Float[Tensor, "u k m d"]:
    """The noise of the drawn tokens."""
    return rearrange(noise, "b k u n d -> u k b n d")[:, :, drawn]
