"""The soft score: the closeness of an image to a requirement."""

from itertools import permutations

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from .detection import LEAST_FIT, Found
from .requirement import Asked, Requirement
from .satisfaction import spare
from .silhouette import SHAPES

# Formless pieces earn less than an honest guess among four shapes, so that hedging does not pay.
_FORMLESS, _OTHER_SHAPE, _OFF_PALETTE, _NEAR_RELATION = 0.4, 0.25, 0.5, 0.75
_NO_FIT = 0.3
_REACH = 16


def closeness(found: tuple[Found, ...], requirement: Requirement) -> float:
    """The closeness of the found objects to `requirement`, in [0, 1]; 1 exactly when `satisfies`.

    The mean of likeness (shapes and colours), count agreement and, where asked, relation, at the best pairing.
    """
    if not found:
        return 0.0
    credits = np.array([[_likeness(one, asked) for one in found] for asked in requirement.objects])
    agreement = _agreement(found, len(requirement.objects))
    if requirement.relation is None:
        return (_best_pairing(credits) + agreement) / 2
    # A relation counts as far as it is between the right objects: the wrong ones earn nothing by standing well.
    related = (
        (credits[0, i] + credits[1, j]) / 2 * (1 + _relation(found[i], found[j], requirement.relation))
        for i, j in permutations(range(len(found)), 2)
    )
    return float(max(related, default=_best_pairing(credits)) + agreement) / 3


def _best_pairing(credits: Float[np.ndarray, "asked found"]) -> float:
    return float(credits[linear_sum_assignment(credits, maximize=True)].sum()) / len(credits)


def _likeness(found: Found, asked: Asked) -> float:
    shape = _shape_credit(found, asked.shape)
    if asked.colour is None:
        return shape
    if found.tint != asked.colour:
        return shape / 2
    return (shape + (_OFF_PALETTE if found.colour is None else 1.0)) / 2


def _shape_credit(found: Found, shape: str) -> float:
    if found.shape == shape:
        return 1.0
    fit = found.fits[SHAPES.index(shape)]
    return _FORMLESS * _form(fit) if found.shape is None else _OTHER_SHAPE * fit


def _agreement(found: tuple[Found, ...], asked: int) -> float:
    """1 − |found − asked| / max, times the share of found objects that have a shape."""
    formed = sum(1.0 if one.shape else _form(max(one.fits)) for one in found) / len(found)
    return (1 - abs(len(found) - asked) / max(len(found), asked)) * formed


def _form(fit: float) -> float:
    return min(max((fit - _NO_FIT) / (LEAST_FIT - _NO_FIT), 0.0), 1.0)


def _relation(first: Found, second: Found, relation: str) -> float:
    slack = spare(first, second, relation)
    return 1.0 if slack >= 0 else _NEAR_RELATION * max(1 + slack / _REACH, 0.0)
