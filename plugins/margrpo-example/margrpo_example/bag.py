"""A policy without attention: the smallest thing that is a hybrid generator."""

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

    It cannot know which known token stands where, so it draws textures rather than things. Its head is MAR's.
    """

    checkpoint: str = setting("", f"the file of weights: {SOURCES}", check=known_form)
    weights: Literal["model", "random"] = setting("random", "the file's weights, or random ones instead")
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    conditioner: Conditioner = setting(meaning="what the prompt becomes")
    parameterization: Parameterization = setting(meaning="what the head's output means")
    tokens: int = setting(16, "tokens per image", check=at_least(1))
    channels: int = setting(12, "channels per token", check=at_least(1))
    width: int = setting(32, "channels of a condition", check=at_least(1))
    seed: int = setting(0, "seed of random weights", check=not_negative)

    def problems(self) -> list[str]:
        """What is wrong with the settings taken together."""
        return unnamed(self.checkpoint, self.weights)

    def published(self) -> str:
        """Nowhere."""
        return ""

    def geometry(self) -> tuple[int, int]:
        """Tokens per image and channels per token."""
        return self.tokens, self.channels

    def classes(self) -> int | None:
        """Those of the conditioner."""
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
        """The model on the CPU; it attends to nothing, so it needs no attention."""
        from margrpo.weights import modules
        from margrpo_example.bag_model import BagModel

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            prompt = self.conditioner.build(width=self.width)
            model = BagModel(prompt, self.parameterization, (self.tokens, self.channels, self.width))
        if self.weights != "random":
            modules.load(model, "policy", self)
        return model.eval()
