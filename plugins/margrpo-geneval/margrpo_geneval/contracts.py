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
    """A detector of objects with `parameters` parameters; `tells_colours` if it names their colours too."""

    parameters: int
    tells_colours: bool

    def require(self) -> None:
        """Raise a `MargrpoError` if a file or package is missing. Must not import torch."""
        ...

    def build(self, device: str) -> "Finder":
        """Make the finder with its networks on `device`."""
        ...


@runtime_checkable
class Finder(Protocol):
    """The object that a detector builds."""

    def find(self, images: Float[Tensor, "b 3 h w"], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """The objects in each image that may have one of the image's `names`, whatever their scores."""
        ...


@runtime_checkable
class ColourClassifier(Protocol):
    """A classifier of an object's colour, with `parameters` parameters."""

    parameters: int

    def require(self) -> None:
        """Raise a `MargrpoError` if a file or package is missing. Must not import torch."""
        ...

    def build(self, device: str) -> "Namer":
        """Make the namer with its networks on `device`."""
        ...


@runtime_checkable
class Namer(Protocol):
    """The object that a colour classifier builds."""

    def colours(self, image: Float[Tensor, "3 h w"], objects: Sequence[Detection]) -> list[str | None]:
        """The name of the colour of each object; None if it is unlike all colours."""
        ...


@runtime_checkable
class Relation(Protocol):
    """A rule for the relative position of two objects."""

    def holds(self, word: str, first: Detection, second: Detection) -> bool:
        """Whether `first` is "left of", "right of", "above" or "below" `second`, as `word` says."""
        ...
