"""A policy without attention: the smallest hybrid generator."""

from typing import Literal

from margrpo import at_least, component, not_negative, setting
from margrpo.contracts import Attention, Conditioner, Model, Parameterization
from margrpo.lazy import torch
from margrpo.nets.mar_footprint import denoiser_footprint
from margrpo.records import BackboneFootprint, ByKnown, PolicyFootprint
from margrpo.weights.source import SOURCES, digest, known_form, unnamed


@component
class Bag:
    """A bag of tokens: each token's condition is made of its place, the mean of the known tokens, and the prompt.

    The policy does not know the places of known tokens, so it draws textures rather than objects. Its head is MAR's.
    """

    checkpoint: str = setting("", f"the file of weights: {SOURCES}", check=known_form)
    weights: Literal["model", "random"] = setting("random", '"model" for the weights of the file, or "random" ones')
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    conditioner: Conditioner = setting(meaning="conditioner that turns prompts into the prefix")
    parameterization: Parameterization = setting(meaning="meaning of the head's output")
    tokens: int = setting(16, "tokens per image", check=at_least(1))
    channels: int = setting(12, "channels per token", check=at_least(1))
    width: int = setting(32, "channels of a condition", check=at_least(1))
    seed: int = setting(0, "seed of random weights", check=not_negative)

    def problems(self) -> list[str]:
        """Sentences about settings that do not fit together."""
        return unnamed(self.checkpoint, self.weights)

    def published(self) -> str:
        """An empty sentence: weights are not published."""
        return ""

    def geometry(self) -> tuple[int, int]:
        """The number of tokens per image and of channels per token."""
        return self.tokens, self.channels

    def classes(self) -> int | None:
        """The number of classes of the conditioner, or None."""
        return self.conditioner.classes

    def footprint(self) -> PolicyFootprint:
        """The front by its layers, which never depend on how many tokens are known; the head is MAR's."""
        n, d, w = self.tokens, self.channels, self.width
        front = BackboneFootprint(
            parameters=self.conditioner.parameters(width=w) + w + n * w + (d + 1) * w + 2 * w + 2 * (w + 1) * w,
            products=ByKnown(2 * d * w + 4 * n * w**2),
            attention=ByKnown(0),
            kept=ByKnown(4 * n * w),
            held=3 * n * w,
        )
        return PolicyFootprint(front, denoiser_footprint(channels=d, condition=w, width=w, depth=1))

    def build(self, *, attention: Attention) -> Model:
        """Make the model on the CPU; it does not use `attention`."""
        from margrpo.weights import modules
        from margrpo_example.bag_model import BagModel

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            prompt = self.conditioner.build(width=self.width)
            model = BagModel(prompt, self.parameterization, (self.tokens, self.channels, self.width))
        if self.weights != "random":
            modules.load(model, "policy", self)
        return model.eval()
