"""The colour of an object."""

from collections.abc import Sequence

from jaxtyping import Float

from margrpo import component, positive, setting
from margrpo.lazy import Tensor, torch
from margrpo_geneval.contracts import Detection, Namer

PALETTE = {
    "red": (0.85, 0.15, 0.15),
    "orange": (0.95, 0.55, 0.10),
    "yellow": (0.95, 0.85, 0.15),
    "green": (0.15, 0.60, 0.25),
    "blue": (0.15, 0.30, 0.85),
    "purple": (0.50, 0.20, 0.60),
    "pink": (0.95, 0.60, 0.75),
    "brown": (0.45, 0.28, 0.15),
    "black": (0.05, 0.05, 0.05),
    "white": (0.95, 0.95, 0.95),
}
"""GenEval's ten colours, and a typical red, green and blue of each."""


@component
class Told:
    """The colour that the detector reports, for detectors that know the colours of objects."""

    parameters = 0

    def require(self) -> None:
        """Nothing is missing."""

    def build(self, device: str) -> Namer:
        """The colour classifier itself, since it has no networks to load."""
        return self

    def colours(self, image: Float[Tensor, "3 h w"], objects: Sequence[Detection]) -> list[str | None]:
        """The colour that each was found with."""
        return [each.colour for each in objects]


@component
class Mean:
    """The named colour nearest to the mean of an object's pixels, in its mask or in the middle half of its box.

    For objects of one plain colour. On photographs `clip` tells colours better.
    """

    most: float = setting(
        0.45, "distance in RGB beyond which a colour is like none, each channel in [0, 1]", check=positive
    )

    parameters = 0

    def require(self) -> None:
        """Nothing is missing."""

    def build(self, device: str) -> Namer:
        """The colour classifier itself, since it has no networks to load."""
        return self

    def colours(self, image: Float[Tensor, "3 h w"], objects: Sequence[Detection]) -> list[str | None]:
        """The nearest of the ten colours, or None where none is near."""
        return [self.nearest(mean_of(image, each)) for each in objects]

    def nearest(self, mean: Float[Tensor, "3"]) -> str | None:
        """The name of a colour."""
        palette = torch.tensor(list(PALETTE.values()))
        gaps = (palette - mean.cpu().float()).norm(dim=1)
        best = int(gaps.argmin())
        return list(PALETTE)[best] if gaps[best] <= self.most else None


def mean_of(image: Float[Tensor, "3 h w"], found: Detection) -> Float[Tensor, "3"]:
    """The mean colour of an object."""
    if found.mask is not None and found.mask.any():
        return image[:, found.mask].mean(1)
    (x, y), (width, height) = found.centre, found.size
    rows = slice(max(int(y - height / 4), 0), max(int(y + height / 4), 0) + 1)
    columns = slice(max(int(x - width / 4), 0), max(int(x + width / 4), 0) + 1)
    return image[:, rows, columns].flatten(1).mean(1)
