"""The codec of square patches of pixels."""

from typing import Literal

from margrpo.contracts import Autoencoder
from margrpo.declare import at_least, component, setting
from margrpo.weights.source import SOURCES, digest, known_form, unnamed


@component
class Patch:
    """Square patches of pixels, raw or as whitened principal components; linear, and exact with all components."""

    image: int = setting(32, "side of the image in pixels; a multiple of the patch", check=at_least(1))
    patch: int = setting(8, "side of a patch in pixels", check=at_least(1))
    components: int = setting(0, "principal components kept per patch; 0 keeps the raw pixels", check=at_least(0))
    checkpoint: str = setting("", f"the file with the fitted components: {SOURCES}", check=known_form)
    weights: Literal["model", "random"] = setting(
        lambda checkpoint: "model" if checkpoint else "random",
        '"model" for the fitted components of the file, or "random" before they are fitted',
        by="checkpoint",
    )
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)

    def problems(self) -> list[str]:
        """Sentences about settings that do not fit together."""
        pixels = 3 * self.patch**2
        if self.image % self.patch:
            return [f"image = {self.image} is not a multiple of patch = {self.patch}"]
        if self.components > pixels:
            return [f"components = {self.components} is more than the {pixels} values of a patch"]
        return unnamed(self.checkpoint, self.weights)

    def published(self) -> str:
        """An empty sentence: components are not published, because fitting takes seconds."""
        return ""

    def require(self) -> None:
        """Do nothing: the codec needs no further package."""

    def geometry(self) -> tuple[int, int]:
        """The number of tokens per image and of channels per token."""
        return (self.image // self.patch) ** 2, self.components or 3 * self.patch**2

    def build(self) -> Autoencoder:
        """Make the projection, with the components of the file unless they are to be fitted."""
        from margrpo.nets.patches import Patches
        from margrpo.weights import modules

        codec = Patches(side=self.image // self.patch, patch=self.patch, components=self.components)
        if self.weights != "random":
            modules.load(codec, "codec", self)
            codec.fitted = True
        return codec
