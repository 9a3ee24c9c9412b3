"""Scenes: coloured shapes at places that keep them apart."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations, product

import numpy as np

from .colour import COLOURS
from .requirement import RELATIONS, Requirement

CENTRES = (8, 16, 24)
APART = 16
"""Least distance in pixels between two centres, along the farther axis."""


@dataclass(frozen=True)
class Placed:
    """An object of a scene; `x` and `y` are its centre in pixels from the image's top left corner."""

    shape: str
    colour: str
    x: int
    y: int


@dataclass(frozen=True)
class Scene:
    """Objects that do not touch."""

    objects: tuple[Placed, ...]


def place(requirement: Requirement, rng: np.random.Generator) -> Scene:
    """Draw a scene that satisfies `requirement`: free properties are uniform, and a relation is never a diagonal."""
    layouts = _layouts(len(requirement.objects), requirement.relation)
    layout = layouts[rng.integers(len(layouts))]
    free = rng.integers(len(COLOURS), size=len(layout))
    objects = (
        Placed(asked.shape, asked.colour or COLOURS[drawn], x, y)
        for asked, drawn, (x, y) in zip(requirement.objects, free, layout, strict=True)
    )
    return Scene(tuple(objects))


@cache
def _layouts(count: int, relation: str | None) -> tuple[tuple[tuple[int, int], ...], ...]:
    cells = tuple(product(CENTRES, CENTRES))
    apart = (found for found in permutations(cells, count) if _are_apart(found))
    return tuple(found for found in apart if relation is None or _plainly(relation, *found))


def _are_apart(layout: tuple[tuple[int, int], ...]) -> bool:
    pairs = combinations(layout, 2)
    return all(max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= APART for a, b in pairs)


def _plainly(relation: str, first: tuple[int, int], second: tuple[int, int]) -> bool:
    x, y = RELATIONS[relation]
    dx, dy = first[0] - second[0], first[1] - second[1]
    return x * dx + y * dy > abs(y * dx) + abs(x * dy)
