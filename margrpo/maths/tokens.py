"""Which tokens: unmasking counts, uncertainty, consistency."""

import math

from jaxtyping import Bool, Float, Int

from margrpo.lazy import Tensor, torch


def cosine_counts(tokens: int, steps: int) -> tuple[int, ...]:
    """Unknown tokens before each step and after the last.

    m_0 = n, m_{i+1} = max(1, min(m_i − 1, ⌊n cos(π/2 · (i+1)/s)⌋)) for i < s − 1, m_s = 0   (mar, section 3.3).
    """
    counts = [tokens]
    for i in range(steps - 1):
        counts.append(max(1, min(counts[-1] - 1, math.floor(tokens * math.cos(math.pi / 2 * (i + 1) / steps)))))
    return (*counts, 0)


def still_unknown(rank: Int[Tensor, "b n"], remaining: int) -> Bool[Tensor, "b n"]:
    """Where the published mask after a step is 1: the `remaining` tokens of the lowest ranks, and at least one.

    At the last step nothing remains, but the published schedule never goes below one, so the token of rank 0 stays in
    the mask of the step that commits it   (as in mar).
    """
    return rank < max(remaining, 1)


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


def progress(
    now: Float[Tensor, "m d"], earlier: Float[Tensor, "m d"], final: Float[Tensor, "m d"]
) -> Float[Tensor, "m"]:
    """g = cos(x̂⁰_i, x_final) − cos(x̂⁰_{i−1}, x_final): whether a token moves to the finished image (mar_grpo, 3.4)."""
    cosine = torch.nn.functional.cosine_similarity
    return cosine(now, final, dim=-1) - cosine(earlier, final, dim=-1)
