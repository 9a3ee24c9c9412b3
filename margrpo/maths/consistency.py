"""Consistency of a token: whether its predictions move towards the finished image."""

from jaxtyping import Float

from margrpo.lazy import Tensor, torch


def progress(
    now: Float[Tensor, "m d"], previous: Float[Tensor, "m d"], final: Float[Tensor, "m d"]
) -> Float[Tensor, "m"]:
    """g = cos(x̂⁰_i, x_final) − cos(x̂⁰_{i−1}, x_final): whether a token moves to the finished image (mar_grpo, 3.4)."""
    cosine = torch.nn.functional.cosine_similarity
    return cosine(now, final, dim=-1) - cosine(previous, final, dim=-1)
