"""A linear codec: patches of pixels, or their whitened principal components."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn


class Patches(nn.Module):
    """tokens = (patch − mean) · basis / scale, and back; with 0 components the pixels themselves, in [−1, 1]."""

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, *, side: int, patch: int, components: int):
        super().__init__()
        pixels = 3 * patch**2
        kept = components or pixels
        self.side, self.patch, self.components = side, patch, components
        self.fitted = not components
        self.register_buffer("mean", torch.full((pixels,), 0.5))
        self.register_buffer("basis", torch.eye(pixels)[:, :kept].contiguous())
        self.register_buffer("scale", torch.full((kept,), 0.5))

    def fit(self, images: Float[Tensor, "b 3 h w"]) -> None:
        """Fit mean, basis and scale to the principal components of the images' patches, unless they are fitted."""
        if self.fitted:
            return
        self.fitted = True
        patches = rearrange(self.cut(images), "b n e -> (b n) e").double()
        mean = patches.mean(0)
        covariance = torch.cov((patches - mean).T)
        variance, basis = torch.linalg.eigh(covariance)
        order = variance.argsort(descending=True)[: self.components]
        basis = basis[:, order] * basis[:, order].sum(0).sign()
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.scale.copy_(variance[order].clamp(min=1e-6).sqrt())

    def cut(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n e"]:
        """The pixels of each patch, row by row."""
        return rearrange(images, "b c (y p) (x q) -> b (y x) (c p q)", p=self.patch, q=self.patch)

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Tokens of `images`, whose values are in [0, 1]."""
        return (self.cut(images) - self.mean) @ self.basis / self.scale

    def decode(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """Images of `tokens`, with values clamped to [0, 1]."""
        pixels = (tokens * self.scale) @ self.basis.T + self.mean
        shape = {"y": self.side, "x": self.side, "p": self.patch, "q": self.patch}
        return rearrange(pixels, "b (y x) (c p q) -> b c (y p) (x q)", **shape).clamp(0, 1)
