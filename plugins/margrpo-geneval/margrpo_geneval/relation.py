"""Relative positions of two objects, by the middles of their boxes; y grows downwards."""

from math import hypot

from margrpo import component, not_negative, setting
from margrpo_geneval.contracts import Detection

DIRECTIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}


def along_and_across(word: str, first: Detection, second: Detection) -> tuple[float, float, float, float]:
    """The offset from the second to the first along a direction and across it, and the sizes of both that way."""
    x, y = DIRECTIONS[word]
    dx, dy = first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]
    widths, heights = first.size[0] + second.size[0], first.size[1] + second.size[1]
    along, across = x * dx + y * dy, y * dx + x * dy
    return along, across, (widths if x else heights), (heights if x else widths)


@component
class Published:
    """The rule of GenEval's evaluation: the offset, less a share of both sizes, is more than half of the distance.

    An object may then be both left of and above another one.
    """

    margin: float = setting(0.1, "share of the objects' sizes that is subtracted from the offset", check=not_negative)
    share: float = setting(0.5, "share of the distance that must lie in the direction", check=not_negative)

    def holds(self, word: str, first: Detection, second: Detection) -> bool:
        """Whether the relation `word` holds between `first` and `second`."""
        along, across, size, _ = along_and_across(word, first, second)
        distance = hypot(along, across)
        return distance > 0 and max(along - self.margin * size, 0.0) / distance > self.share


@component
class Plain:
    """The offset in the direction is at least `least` pixels, and no less than that across it: never two at once."""

    least: float = setting(6.0, "pixels between the middles at least, in the direction", check=not_negative)

    def holds(self, word: str, first: Detection, second: Detection) -> bool:
        """Whether the relation `word` holds between `first` and `second`."""
        along, across, *_ = along_and_across(word, first, second)
        return along >= self.least and along >= abs(across)
