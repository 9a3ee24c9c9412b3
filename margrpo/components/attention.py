"""Implementations of attention."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Any

from jaxtyping import Float

from margrpo.declare import component
from margrpo.errors import MargrpoError
from margrpo.lazy import Tensor, torch

Attention = Callable[..., Tensor]


class KernelError(MargrpoError):
    """An attention backend that this machine cannot run."""

    def __init__(self, trouble: str, remedy: str = ""):
        super().__init__(f'attention.use = "xformers" {trouble}; {remedy}set attention.use = "sdpa".')


@component
class Sdpa:
    """PyTorch's scaled_dot_product_attention, which picks a fused kernel if there is one."""

    def require(self) -> None:
        """Do nothing: every machine runs it."""

    def attention(
        self,
        q: Float[Tensor, "l heads e"],
        k: Float[Tensor, "l heads e"],
        v: Float[Tensor, "l heads e"],
        lengths: Sequence[int],
        dropout: float = 0.0,
    ) -> Float[Tensor, "l heads e"]:
        """softmax(q kᵀ / √e) v within each sequence   (transformer, eq. 1); neighbours of one length share a call."""
        from einops import rearrange

        seen, start = [], 0
        for length, same in groupby(lengths):
            end = start + length * len(tuple(same))
            part_q, part_k, part_v = (rearrange(x[start:end], "(b l) h e -> b h l e", l=length) for x in (q, k, v))
            found = torch.nn.functional.scaled_dot_product_attention(part_q, part_k, part_v, dropout_p=dropout)
            seen.append(rearrange(found, "b heads l e -> (b l) heads e"))
            start = end
        return torch.cat(seen) if len(seen) > 1 else seen[0]


@component
class Xformers:
    """xformers' memory_efficient_attention; needs a CUDA device and the extra margrpo[xformers]."""

    def require(self) -> None:
        """Raise `KernelError` if this machine cannot run xformers."""
        memory_efficient_attention()

    def attention(
        self,
        q: Float[Tensor, "l heads e"],
        k: Float[Tensor, "l heads e"],
        v: Float[Tensor, "l heads e"],
        lengths: Sequence[int],
        dropout: float = 0.0,
    ) -> Float[Tensor, "l heads e"]:
        """softmax(q kᵀ / √e) v within each sequence; raises `KernelError` if this machine cannot run xformers."""
        attention = memory_efficient_attention()
        import xformers.ops

        within = xformers.ops.fmha.attn_bias.BlockDiagonalMask
        return packed(partial(attention, p=dropout), within, q, k, v, lengths)


def packed(
    attention: Attention,
    within: Any,
    q: Float[Tensor, "l heads e"],
    k: Float[Tensor, "l heads e"],
    v: Float[Tensor, "l heads e"],
    lengths: Sequence[int],
) -> Float[Tensor, "l heads e"]:
    """Call an attention function that takes (batch, length, heads, channels), as xformers does.

    Sequences of one length are a batch; others are one sequence with the bias that `within.from_seqlens` makes.
    """
    if len(set(lengths)) == 1:
        batch = (x.unflatten(0, (len(lengths), lengths[0])) for x in (q, k, v))
        return attention(*batch).flatten(0, 1)
    return attention(q[None], k[None], v[None], attn_bias=within.from_seqlens(lengths))[0]


@cache
def memory_efficient_attention() -> Attention:
    """The function of xformers, or `KernelError`; the cheapest check comes first, an import of seconds last."""
    import importlib.util
    import logging

    if not torch.cuda.is_available():
        raise KernelError("needs a CUDA device, which torch does not find")
    if importlib.util.find_spec("xformers") is None:
        raise KernelError("needs a package that is not installed", 'pip install "margrpo[xformers]" or ')
    # xformers logs a paragraph when its extensions do not fit this torch; the sentence below says it once.
    logging.getLogger("xformers").setLevel(logging.ERROR)
    import xformers
    import xformers.ops

    if not xformers._has_cpp_library:
        version = xformers.__version__
        raise KernelError(f"found xformers {version}, whose extensions do not load with torch {torch.__version__}")
    attention: Attention = xformers.ops.memory_efficient_attention
    return attention
