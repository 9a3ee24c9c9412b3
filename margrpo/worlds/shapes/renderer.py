"""Rendering of scenes as pixels."""

from functools import cache

import numpy as np
from jaxtyping import UInt8

from .colour import BACKGROUND, rgb
from .scene import Scene
from .silhouette import RADIUS, coverage

SIDE = 32
"""Width and height in pixels of an image."""


def render(scene: Scene) -> UInt8[np.ndarray, "32 32 3"]:
    """The scene's image on the light background."""
    image = np.empty((SIDE, SIDE, 3), dtype=np.uint8)
    image[:] = BACKGROUND
    for placed in scene.objects:
        left, top = placed.x - RADIUS, placed.y - RADIUS
        tile = _tile(placed.shape, placed.colour)
        image[top : top + 2 * RADIUS, left : left + 2 * RADIUS] = tile
    return image


@cache
def _tile(shape: str, colour: str) -> UInt8[np.ndarray, "14 14 3"]:
    alpha = coverage(shape, 2 * RADIUS, x=float(RADIUS), y=float(RADIUS))[:, :, None]
    tile: np.ndarray = np.rint(alpha * rgb(colour) + (1 - alpha) * np.array(BACKGROUND)).astype(np.uint8)
    return tile
