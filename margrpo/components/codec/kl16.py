"""The KL autoencoder that the published MAR models draw their tokens from   (ldm)."""

import importlib.util
from typing import Any, Literal

from margrpo.contracts import Autoencoder
from margrpo.declare import at_least, component, not_negative, positive, setting
from margrpo.errors import MargrpoError
from margrpo.lazy import torch
from margrpo.nets.kl16_shape import CHANNELS, GROUPS, KlShape
from margrpo.weights.source import SOURCES, digest, known_form, unnamed

PUBLISHED = (128, (1, 1, 2, 2, 4), 4)
"""Width, multipliers and level of attention of the published file."""


class MissingDiffusers(MargrpoError):
    """The package diffusers, which `codec.kl16` is built from, is not installed."""

    def __init__(self) -> None:
        super().__init__('codec.use = "kl16" needs diffusers, which is not installed; pip install "margrpo[mar]"')


@component
class Kl16:
    """Latent diffusion's KL autoencoder with 16 channels, at a stride of 16; encodes to the mode, never to a sample.

    The published `kl16.ckpt` loads without conversion, and so do the files that a run writes.
    """

    checkpoint: str = setting("", f"the file of weights: {SOURCES}", check=known_form)
    weights: Literal["model", "random"] = setting("model", '"model" for the weights of the file, or "random" ones')
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    image: int = setting(256, "side of the image in pixels; a multiple of the stride", check=at_least(1))
    scale: float = setting(0.2325, "factor between latents and tokens", check=positive)
    batch: int = setting(8, "images encoded or decoded at once, which bounds memory", check=at_least(1))
    width: int = setting(PUBLISHED[0], "channels of the first level", check=at_least(1))
    multipliers: tuple[int, ...] = setting(
        PUBLISHED[1], "channels of each level, in widths; every level but the last halves the image"
    )
    attention: int = setting(PUBLISHED[2], "level of the encoder that has attention, from 0", check=not_negative)
    seed: int = setting(0, "seed of random weights", check=not_negative)

    def problems(self) -> list[str]:
        """Sentences about settings that do not fit together."""
        levels, told = len(self.multipliers), f"multipliers = {list(self.multipliers)}"
        if not levels or min(self.multipliers) < 1:
            return [f"{told} must be one or more whole numbers, each 1 or more"]
        found = unnamed(self.checkpoint, self.weights)
        if any(self.width * each % GROUPS for each in self.multipliers):
            found.append(
                f"width = {self.width} times {told} must be multiples of {GROUPS}, the groups of normalisations"
            )
        if self.attention >= levels:
            found.append(f"attention = {self.attention} is not a level of {told}; give 0 to {levels - 1}")
        if self.image % self.stride:
            found.append(f"image = {self.image} is not a multiple of the stride, which is {self.stride}")
        return found

    @property
    def stride(self) -> int:
        """The number of pixels along the side of a token."""
        return int(2 ** (len(self.multipliers) - 1))

    def published(self) -> str:
        """A sentence that says where weights of these sizes are published, or ""."""
        if (self.width, self.multipliers, self.attention) != PUBLISHED:
            return ""
        return (
            "KL-16 is published at https://github.com/LTH14/mar, whose util/download.py puts it at "
            "pretrained_models/vae/kl16.ckpt; a copy by others, not checked here, is "
            "hf://jadechoghari/mar/kl16.safetensors"
        )

    def geometry(self) -> tuple[int, int]:
        """The number of tokens per image and of channels per token."""
        return (self.image // self.stride) ** 2, CHANNELS

    def require(self) -> None:
        """Raise `MissingDiffusers` if diffusers is not installed; does not import it, which takes seconds."""
        if importlib.util.find_spec("diffusers") is None:
            raise MissingDiffusers

    def build(self) -> Autoencoder:
        """Make the frozen autoencoder, with the weights of the file or random ones."""
        from margrpo.nets import kl16
        from margrpo.weights import modules

        self.require()
        shape = KlShape(self.width, self.multipliers, self.attention)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            codec = kl16.Kl16(shape, image=self.image, scale=self.scale, batch=self.batch)
        if self.weights != "random":
            modules.load(codec, "codec", self, cure=self.cure)
        return codec.requires_grad_(False).eval()

    def cure(self, tensors: Any) -> str:
        """The end of a sentence that names the settings to change for `tensors` that do not fit."""
        from margrpo.nets.kl16 import told_by

        told = told_by({name: tensor.shape for name, tensor in tensors.items()})
        other = {key: value for key, value in told.items() if getattr(self, key) != value}
        lines = [f"codec.{key} = {list(value) if key == 'multipliers' else value}" for key, value in other.items()]
        return f"; {', '.join(lines)} would fit" if lines else ""
