"""How attention is computed."""

from collections.abc import Callable
from functools import cache, partial

from jaxtyping import Float

from margrpo.declare import component
from margrpo.errors import MargrpoError
from margrpo.lazy import Tensor, torch

Attention = Callable[..., Tensor]


class KernelError(MargrpoError):
    """A kernel that this machine cannot run."""

    def __init__(self, trouble: str, remedy: str = ""):
        super().__init__(f'kernel.use = "xformers" {trouble}; {remedy}set kernel.use = "sdpa".')


@component
class Sdpa:
    """PyTorch's scaled_dot_product_attention, which picks a fused kernel where there is one."""

    def require(self) -> None:
        """Every machine can run it."""

    def attention(
        self,
        q: Float[Tensor, "b heads l e"],
        k: Float[Tensor, "b heads m e"],
        v: Float[Tensor, "b heads m e"],
        dropout: float = 0.0,
    ) -> Float[Tensor, "b heads l e"]:
        """softmax(q kᵀ / √e) v   (transformer, eq. 1)."""
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout)


@component
class Xformers:
    """xformers' memory_efficient_attention; needs a CUDA device and the extra margrpo[xformers]."""

    def require(self) -> None:
        """A machine that cannot run it is a `KernelError`."""
        memory_efficient_attention()

    def attention(
        self,
        q: Float[Tensor, "b heads l e"],
        k: Float[Tensor, "b heads m e"],
        v: Float[Tensor, "b heads m e"],
        dropout: float = 0.0,
    ) -> Float[Tensor, "b heads l e"]:
        """softmax(q kᵀ / √e) v; a machine that cannot run it is a `KernelError`."""
        return with_heads_third(partial(memory_efficient_attention(), p=dropout), q, k, v)


def with_heads_third(
    attention: Attention,
    q: Float[Tensor, "b heads l e"],
    k: Float[Tensor, "b heads m e"],
    v: Float[Tensor, "b heads m e"],
) -> Float[Tensor, "b heads l e"]:
    """Call an attention function that takes and gives (batch, length, heads, channels), as xformers does."""
    from einops import rearrange

    q, k, v = (rearrange(x, "b heads length e -> b length heads e") for x in (q, k, v))
    return rearrange(attention(q, k, v), "b length heads e -> b heads length e")


@cache
def memory_efficient_attention() -> Attention:
    """The function of xformers, or a `KernelError`; the cheapest check comes first, an import of seconds last."""
    import importlib.util
    import logging

    if not torch.cuda.is_available():
        raise KernelError("needs a CUDA device, and torch finds none")
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
