"""The KL autoencoder of latent diffusion with 16 channels, by diffusers, under its published names   (ldm, mar)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from margrpo.errors import DataError
from margrpo.nets.kl16_shape import CHANNELS, GROUPS, KlShape

RENAMED = {
    "down_blocks": "down",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "resnets": "block",
    "attentions": "attn",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
"""Pairs of a name of diffusers and the published name; the first pair that fits is taken."""


class Kl16(nn.Module):
    """tokens = mode of the posterior · scale, row by row, and back; its state_dict is named as the published file."""

    vae: Any

    def __init__(self, shape: KlShape, *, image: int, scale: float, batch: int):
        super().__init__()
        levels = len(shape.multipliers)
        self.image, self.side, self.scale, self.batch = image, image // 2 ** (levels - 1), scale, batch
        self.vae = autoencoder(shape)
        self.published = {f"vae.{name}": published_name(name, levels) for name in self.vae.state_dict()}
        self.register_state_dict_post_hook(rename_to_published)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(rename_from_published)  # type: ignore[no-untyped-call]

    def fit(self, images: Float[Tensor, "b 3 h w"]) -> None:
        """Do nothing: this codec is trained with gradients, by other programs."""

    def posterior(self, images: Float[Tensor, "b 3 h w"]) -> Any:
        """q(latent | image), diffusers' diagonal Gaussian, of images whose values are in [0, 1]."""
        return self.vae.encode(2 * images - 1).latent_dist

    def picture(self, latents: Float[Tensor, "b d _ _"]) -> Float[Tensor, "b 3 h w"]:
        """The decoder's output for unscaled latents of any height and width: about [−1, 1], not clamped."""
        return self.vae.decode(latents).sample

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Tokens of images whose values are in [0, 1]; always the mode, never a sample."""
        if tuple(images.shape[2:]) != (self.image, self.image):
            height, width = images.shape[2:]
            raise DataError(
                f"images are {height} × {width} pixels where codec.image = {self.image}; "
                f"resize them to {self.image} × {self.image} or set codec.image to their side"
            )
        latents = torch.cat([self.posterior(part).mode() for part in images.split(self.batch)])
        return rearrange(latents * self.scale, "b d y x -> b (y x) d")

    def decode(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """Images of `tokens`, with values clamped to [0, 1]."""
        latents = rearrange(tokens / self.scale, "b (y x) d -> b d y x", y=self.side)
        pictures = torch.cat([self.picture(part) for part in latents.split(self.batch)])
        return ((pictures + 1) / 2).clamp(0, 1)


def autoencoder(shape: KlShape) -> Any:
    """diffusers' AutoencoderKL of this shape; its import takes seconds."""
    import logging

    # diffusers imports xformers where it finds it, which logs a paragraph if its extensions do not fit this torch.
    logging.getLogger("xformers").setLevel(logging.ERROR)
    from diffusers import AutoencoderKL

    levels = range(len(shape.multipliers))
    return AutoencoderKL(
        block_out_channels=tuple(shape.width * each for each in shape.multipliers),
        down_block_types=tuple(f"{'Attn' * (level == shape.attention)}DownEncoderBlock2D" for level in levels),
        up_block_types=tuple("UpDecoderBlock2D" for _ in levels),
        layers_per_block=2,
        latent_channels=CHANNELS,
        norm_num_groups=GROUPS,
    )


def published_name(name: str, levels: int) -> str:
    """The published name of a tensor of diffusers' AutoencoderKL with `levels` levels."""
    # The published decoder counts its levels from the image, diffusers' from the latents.
    name = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{levels - 1 - int(found[1])}", name)
    for theirs, published in RENAMED.items():
        name = name.replace(theirs, published)
    return name


def told_by(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The sizes of the autoencoder that has published tensors of these `shapes`; empty if they do not decide it."""
    first = "encoder.down.{}.block.0.conv1.weight".format
    levels = sum(first(level) in shapes for level in range(len(shapes)))
    attention = {int(found[1]) for name in shapes if (found := re.match(r"encoder\.down\.(\d+)\.attn\.", name))}
    if "encoder.conv_in.weight" not in shapes or len(attention) != 1:
        return {}
    width = shapes["encoder.conv_in.weight"][0]
    multipliers = tuple(shapes[first(level)][0] // width for level in range(levels))
    return {"width": width, "multipliers": multipliers, "attention": attention.pop()}


def is_attention(published: str) -> bool:
    """Whether a tensor is a matrix of attention, which the published file holds as a 1 × 1 convolution."""
    return re.search(r"\.attn(\.\d+|_1)\.(q|k|v|proj_out)\.weight$", published) is not None


def rename_to_published(module: Kl16, tensors: dict[str, Tensor], prefix: str, _: Mapping[str, Any]) -> None:
    """Give the tensors of a state_dict their published names and shapes."""
    for ours, published in module.published.items():
        value = tensors.pop(prefix + ours)
        tensors[prefix + published] = value[..., None, None] if is_attention(published) else value


def rename_from_published(module: Kl16, tensors: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Give published tensors the names and shapes of the module."""
    for ours, published in module.published.items():
        if prefix + published in tensors:
            value = tensors.pop(prefix + published)
            tensors[prefix + ours] = value[..., 0, 0] if is_attention(published) and value.ndim == 4 else value
