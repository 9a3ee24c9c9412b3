"""The requirement that a caption expresses, and equality of requirements."""

from dataclasses import dataclass, replace

KINDS = ("single object", "two objects", "counting", "colour", "position", "colour attribution")
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
"""Each relation's direction (x, y) from the second object to the first; y grows downwards."""
_MIRRORED = {"right of": "left of", "below": "above"}


@dataclass(frozen=True)
class Asked:
    """An object that an image must hold; `colour` None leaves the colour free."""

    shape: str
    colour: str | None = None


@dataclass(frozen=True)
class Requirement:
    """The objects that an image must hold, and no others; made by `parse`.

    A relation holds between the first object and the second.
    """

    kind: str
    objects: tuple[Asked, ...]
    relation: str | None = None


def meaning(requirement: Requirement) -> Requirement:
    """The canonical form of a requirement; swapping a caption's objects does not change it."""
    if requirement.relation in _MIRRORED:
        swapped = requirement.objects[::-1]
        return replace(requirement, objects=swapped, relation=_MIRRORED[requirement.relation])
    if requirement.relation is None:
        ordered = sorted(requirement.objects, key=lambda asked: (asked.shape, asked.colour or ""))
        return replace(requirement, objects=tuple(ordered))
    return requirement
