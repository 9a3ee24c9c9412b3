"""The detector of margrpo's own world of shapes: segmentation and templates, no weights."""

from collections.abc import Sequence

from jaxtyping import Float

from margrpo import component, setting
from margrpo.lazy import Tensor
from margrpo_geneval.contracts import Detection, Finder

ANYTHING = "object"
"""The class of every piece, whatever its shape."""
RADIUS = 7.0
"""Half the width of a shape in pixels."""


@component
class Blobs:
    """Circles, squares, triangles and crosses in pictures of 32 × 32 pixels, each with its colour.

    Every connected piece is also found as an "object", so that metadata can say how many there may be of any shape.
    """

    anything: bool = setting(True, 'whether every piece is found as an "object" besides')

    parameters = 0
    tells_colours = True

    def require(self) -> None:
        """Nothing is missing."""

    def build(self, device: str) -> Finder:
        """The detector itself, since it has no networks to load."""
        return self

    def find(self, images: Float[Tensor, "b 3 h w"], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """The pieces of each image, sure of what they are; what is asked for makes no difference."""
        from margrpo.worlds import shapes

        every = shapes.find(images.detach().float().cpu().numpy())
        return [[each for found in pieces for each in self.detections(found)] for pieces in every]

    def detections(self, found) -> list[Detection]:  # type: ignore[no-untyped-def]
        """A piece as what its shape is, and as anything."""
        box = (found.x - RADIUS, found.y - RADIUS, found.x + RADIUS, found.y + RADIUS)
        names = [found.shape] if found.shape else []
        return [Detection(name, 1.0, box, None, found.colour) for name in (*names, *([ANYTHING] * self.anything))]
