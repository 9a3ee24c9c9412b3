"""The codec: between images and tokens."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float

from margrpo.contracts.model import Weights
from margrpo.lazy import Tensor


@runtime_checkable
class Codec(Protocol):
    """An autoencoder between images and tokens.

    - `image`: side of its images in pixels.
    - `checkpoint`: the file of weights, or where it is published.
    - `weights`: "model" for the weights of the file, or "random".
    - `sha256`: SHA-256 of the file; "" is not checked.
    """

    image: int
    checkpoint: str
    weights: str
    sha256: str

    def published(self) -> str:
        """A sentence that says where weights for these settings are published, or ""."""
        ...

    def require(self) -> None:
        """Raise a `MargrpoError` if a package that the codec needs is missing. Must not import torch."""
        ...

    def build(self) -> "Autoencoder":
        """Make the module with the weights of the codec's checkpoint, or with random ones."""
        ...

    def geometry(self) -> tuple[int, int]:
        """The number of tokens per image and of channels per token."""
        ...


@runtime_checkable
class Autoencoder(Weights, Protocol):
    """The nn.Module that a codec builds."""

    def fit(self, images: Float[Tensor, "b 3 h w"]) -> None:
        """Fit from `images` what needs no gradients; does nothing if the codec is fitted or has nothing to fit."""
        ...

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Tokens of `images`, whose values are in [0, 1]."""
        ...

    def decode(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """Images of `tokens`, with values clamped to [0, 1]."""
        ...
