"""The strict score: whether an image holds the required objects and no others."""

from itertools import permutations

from .detection import Found
from .requirement import RELATIONS, Asked, Requirement

LEAST_STEP = 6
"""Least distance in pixels between two centres along the axis of their relation."""


def satisfies(found: tuple[Found, ...], requirement: Requirement) -> bool:
    """True when the found objects can be paired one to one with the asked ones, and their relation holds."""
    if len(found) != len(requirement.objects):
        return False
    return any(_pairs_up(order, requirement) for order in permutations(found))


def spare(first: Found, second: Found, relation: str) -> float:
    """The number of pixels by which the relation holds; negative if it does not hold."""
    x, y = RELATIONS[relation]
    dx, dy = first.x - second.x, first.y - second.y
    along, across = x * dx + y * dy, abs(y * dx) + abs(x * dy)
    return min(along - LEAST_STEP, along - across)


def _pairs_up(order: tuple[Found, ...], requirement: Requirement) -> bool:
    if not all(map(_is, order, requirement.objects)):
        return False
    return requirement.relation is None or spare(order[0], order[1], requirement.relation) >= 0


def _is(found: Found, asked: Asked) -> bool:
    return found.shape == asked.shape and asked.colour in (None, found.colour)
