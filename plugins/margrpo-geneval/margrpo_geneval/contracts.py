"""The contracts of this plugin's own kinds."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float

from margrpo import record
from margrpo.lazy import Tensor


@record
class Detection:
    """An object that was found: what it is, how sure that is, and where.

    The box is (left, top, right, bottom) in pixels. `colour` is for detectors that know it.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]
    mask: Bool[Tensor, "h w"] | None = None
    colour: str | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the box."""
        left, top, right, bottom = self.box
        return right - left, bottom - top


@runtime_checkable
class Detector(Protocol):
    """What finds objects in a picture, and perhaps `tells_colours`; its networks have so many `parameters`."""

    parameters: int
    tells_colours: bool

    def require(self) -> None:
        """Raise a `MargrpoError` where a file or package is missing; imports no torch."""
        ...

    def build(self, device: str) -> "Finder":
        """Make what finds, with its networks on a device."""
        ...


@runtime_checkable
class Finder(Protocol):
    """The built detector."""

    def find(self, images: Float[Tensor, "b 3 h w"], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """The objects in each image that may be of one of these names, whatever their scores."""
        ...


@runtime_checkable
class ColourClassifier(Protocol):
    """What tells the colour of an object; its networks have so many `parameters`."""

    parameters: int

    def require(self) -> None:
        """Raise a `MargrpoError` where a file or package is missing; imports no torch."""
        ...

    def build(self, device: str) -> "Namer":
        """Make what tells, with its networks on a device."""
        ...


@runtime_checkable
class Namer(Protocol):
    """The built colour classifier."""

    def colours(self, image: Float[Tensor, "3 h w"], objects: Sequence[Detection]) -> list[str | None]:
        """The name of the colour of each object, or None where it is like none."""
        ...


@runtime_checkable
class Relation(Protocol):
    """What tells how one object stands to another."""

    def holds(self, word: str, first: Detection, second: Detection) -> bool:
        """Whether the first is "left of", "right of", "above" or "below" the second."""
        ...
