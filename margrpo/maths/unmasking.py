"""The tokens that are unknown after each AR step: their number, and the mask."""

import math

from jaxtyping import Bool, Int

from margrpo.lazy import Tensor


def cosine_counts(tokens: int, steps: int) -> tuple[int, ...]:
    """The number of unknown tokens before each AR step and after the last.

    m_0 = n, m_{i+1} = max(1, min(m_i − 1, ⌊n cos(π/2 · (i+1)/s)⌋)) for i < s − 1, m_s = 0   (mar, section 3.3).
    """
    counts = [tokens]
    for i in range(steps - 1):
        counts.append(max(1, min(counts[-1] - 1, math.floor(tokens * math.cos(math.pi / 2 * (i + 1) / steps)))))
    return (*counts, 0)


def still_unknown(order: Int[Tensor, "b n"], remaining: int) -> Bool[Tensor, "b n"]:
    """The published mask after an AR step: the `remaining` tokens of lowest order, and at least one token.

    At the last step nothing remains, but the published schedule never goes below one, so the token of order 0 stays in
    the mask of the step that commits it   (as in mar).
    """
    return order < max(remaining, 1)
