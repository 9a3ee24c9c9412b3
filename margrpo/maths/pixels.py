"""Cheap statistics of images that show when a policy games its reward."""

from einops import rearrange
from jaxtyping import Float

from margrpo.lazy import Tensor, torch

SHADES = 4
"""Shades of each channel, into which colours are sorted."""


def luma(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
    """The brightness of each pixel, Y' = 0.299 R + 0.587 G + 0.114 B   (ITU-R BT.601)."""
    return 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]


def edge_density(images: Float[Tensor, "b 3 h w"], least: float = 0.1) -> Float[Tensor, "b"]:
    """The share of pixels that differ in brightness by at least `least` from the pixel to the right or below."""
    bright = luma(images)
    across, down = bright.diff(dim=2)[:, :-1], bright.diff(dim=1)[:, :, :-1]
    return ((across.abs() >= least) | (down.abs() >= least)).float().mean((1, 2))


def colour_entropy(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
    """−Σ p log₂ p over the 64 colours that four shades of each channel make, in bits."""
    shades = (images.clamp(0, 1) * SHADES).long().clamp(max=SHADES - 1)
    index = (shades[:, 0] * SHADES + shades[:, 1]) * SHADES + shades[:, 2]
    counts = torch.zeros(len(images), SHADES**3, device=images.device)
    flat = rearrange(index, "b h w -> b (h w)")
    p = counts.scatter_add(1, flat, torch.ones_like(flat, dtype=counts.dtype)) / flat.shape[1]
    return torch.special.entr(p).sum(1) / torch.log(torch.tensor(2.0))


def dark_share(images: Float[Tensor, "b 3 h w"], most: float = 0.1) -> Float[Tensor, "b"]:
    """The share of pixels whose brightness is at most `most`."""
    return (luma(images) <= most).float().mean((1, 2))


def distance(images: Float[Tensor, "b 3 h w"], others: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
    """The mean absolute difference between the values of `images` and `others`."""
    return (images - others).abs().mean((1, 2, 3))


def duplicate_share(groups: Float[Tensor, "g k 3 h w"], most: float = 0.02) -> Float[Tensor, "g"]:
    """The share of pairs within each group that differ by at most `most` on average; 0 for a group of one."""
    k = groups.shape[1]
    flat = rearrange(groups, "g k c h w -> g k (c h w)")
    gaps = torch.cdist(flat, flat, p=1) / flat.shape[2]  # g k k
    pairs = torch.ones(k, k, dtype=torch.bool, device=groups.device).triu(1)
    return (gaps[:, pairs] <= most).float().mean(1) if k > 1 else torch.zeros(len(groups), device=groups.device)
