"""Uncertainty of a token, and the largest scores of an image."""

import math

from jaxtyping import Bool, Float

from margrpo.lazy import Tensor, torch


def share(fraction: float, tokens: int) -> int:
    """⌊fraction · n⌋ and at least one; rounded first, because 0.29 · 100 is 28.999999999999996 in binary."""
    return max(1, math.floor(round(fraction * tokens, 9)))


def largest(score: Float[Tensor, "b n"], count: int) -> Bool[Tensor, "b n"]:
    """The `count` largest scores of each image."""
    chosen = torch.zeros_like(score, dtype=torch.bool)
    return chosen.scatter(1, score.topk(count, dim=1).indices, True)


def uncertainty(samples: Float[Tensor, "k m d"]) -> Float[Tensor, "m"]:
    """The std over k trajectories of each channel, not unbiased, averaged over channels   (mar_grpo, section 3.3)."""
    return samples.std(dim=0, unbiased=False).mean(-1)  # k m d → m
