"""Pre-training: predict masked tokens from known ones through the diffusion head   (mar, section 3)."""

import copy
import math

import torch
from einops import repeat
from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.contracts import Model, Parameterization
from margrpo.declare import record
from margrpo.maths import diffusion, noise
from margrpo.records import Key, Prompts

REPEATS = 4
"""Noise levels per token and pass, as in the published MAR: the head is cheap beside the backbone."""


@record
class Masking:
    """The distribution of the share of hidden tokens: a normal truncated to [`least`, 1]."""

    mean: float
    std: float
    least: float


def hidden(masking: Masking, images: int, tokens: int, key: Key) -> Bool[Tensor, "b n"]:
    """Hidden tokens: equally many in each image, at random places that differ between images."""
    draw = noise.generator((*key, "masking"))
    share = 2.0
    while not masking.least <= share <= 1:
        share = masking.mean + masking.std * float(torch.randn((), generator=draw))
    rank = torch.rand(images, tokens, generator=draw).argsort(1)
    return rank < max(1, math.ceil(tokens * share))


def loss(
    model: Model,
    parameterization: Parameterization,
    tokens: Float[Tensor, "b n d"],
    prefix: Float[Tensor, "b p c"],
    unknown: Bool[Tensor, "b n"],
    *,
    key: Key,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The squared error of the head's target and the variance bound, both averaged over hidden tokens."""
    z = repeat(model.condition(tokens, unknown, prefix)[unknown], "m c -> (r m) c", r=REPEATS)
    clean = repeat(tokens[unknown], "m d -> (r m) d", r=REPEATS)
    draw, path = noise.generator((*key, "diffusion")), parameterization.path
    t = torch.randint(diffusion.TRAINING_STEPS, (len(clean),), generator=draw).to(clean.device)
    epsilon = torch.randn(clean.shape, generator=draw).to(clean.device)
    alpha_bar = path.alpha_bar(t)
    x = path.noised(clean, epsilon, alpha_bar)
    output, variance = model.head.raw(x, z, path.time(t))
    error = (output - parameterization.target(clean, epsilon, alpha_bar)).pow(2).mean()
    predicted = parameterization.epsilon(output, x, alpha_bar)
    return error, path.bound(clean, x, predicted, variance, t=t).mean()


def without_prompt(model: Model, prompts: Prompts, share: float, key: Key) -> Float[Tensor, "b p c"]:
    """The prefix, replaced by the null prefix for a keyed share of the images, so that guidance has both."""
    drop = torch.rand(len(prompts), generator=noise.generator((*key, "drop"))) < share
    prefix = model.prefix(prompts)
    return torch.where(drop[:, None, None].to(prefix.device), model.null_prefix(len(prompts)), prefix)


class Average:
    """An exponential moving average of a model's weights, warmed up so that early steps do not linger."""

    def __init__(self, model: Model, decay: float):
        self.model, self.decay = copy.deepcopy(model).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model: Model, step: int) -> None:
        """Move the average towards the weights of `model`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for ours, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            ours.lerp_(theirs, 1 - decay)
