"""The outlines of the four shapes, drawn as the covered fraction of each pixel."""

import numpy as np
from einops import reduce
from jaxtyping import Bool, Float

SHAPES = ("circle", "square", "triangle", "cross")
RADIUS = 7
"""Half the width in pixels of the box that every shape fits in."""
_SUBSAMPLES = 8


def coverage(shape: str, size: int, *, x: float, y: float, scale: float = 1.0) -> Float[np.ndarray, "{size} {size}"]:
    """The fraction in [0, 1] of each pixel of a size × size canvas inside `shape` centred at (x, y) pixels."""
    fine = (np.arange(size * _SUBSAMPLES) + 0.5) / _SUBSAMPLES
    inside = _contains(shape, (fine[None, :] - x) / scale, (fine[:, None] - y) / scale)
    return reduce(inside.astype(float), "(h i) (w j) -> h w", "mean", i=_SUBSAMPLES, j=_SUBSAMPLES)


def _contains(shape: str, u: Float[np.ndarray, "1 w"], v: Float[np.ndarray, "h 1"]) -> Bool[np.ndarray, "h w"]:
    across, down = np.abs(u), np.abs(v)
    inside: np.ndarray
    match shape:
        case "circle":
            inside = u**2 + v**2 <= RADIUS**2
        case "square":
            inside = np.maximum(across, down) <= 6
        case "triangle":
            inside = (across <= (v + RADIUS) / 2) & (down <= RADIUS)
        case "cross":
            inside = (np.minimum(across, down) <= 2) & (np.maximum(across, down) <= RADIUS)
    return inside
