"""Pieces recognised as shapes by their overlap with the templates."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from einops import rearrange
from jaxtyping import Float

from .colour import rgb
from .segmentation import WINDOW, Piece, pieces
from .silhouette import SHAPES, coverage

LEAST_FIT = 0.7
"""Least intersection over union at which a piece is a shape at all."""
COLOUR_TOLERANCE = 0.4
"""Greatest distance in RGB, each in [0, 1], from a piece's mean to the palette; a blurred cross reaches 0.3."""
_SCALES = tuple(width / 14 for width in range(10, 18))
_OFFSETS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Found:
    """An object in an image; `shape` or `colour` is None if it is unlike all known ones.

    x and y are its centre in pixels, `tint` the palette colour nearest to it, `fits` its overlap with each of `SHAPES`.
    """

    shape: str | None
    colour: str | None
    x: float
    y: float
    tint: str
    fits: tuple[float, ...]


def find(images: Float[np.ndarray, "b 3 32 32"]) -> tuple[tuple[Found, ...], ...]:
    """The objects in each image."""
    found: tuple[list[Found], ...] = tuple([] for _ in images)
    parts = pieces(images)
    if parts:
        for piece, overlaps in zip(parts, _overlaps(parts), strict=True):
            found[piece.image].append(_recognise(piece, overlaps))
    return tuple(map(tuple, found))


def _overlaps(parts: tuple[Piece, ...]) -> Float[np.ndarray, "n shapes poses"]:
    templates, sizes, _ = _templates()
    windows = np.stack([piece.window.ravel() for piece in parts]).astype(np.float32)
    shared = windows @ templates
    areas = np.array([piece.area for piece in parts], dtype=np.float32)
    overlaps: np.ndarray = shared / (areas[:, None] + sizes - shared)
    return rearrange(overlaps, "n (shapes poses) -> n shapes poses", shapes=len(SHAPES))


def _recognise(piece: Piece, overlaps: Float[np.ndarray, "shapes poses"]) -> Found:
    fits = overlaps.max(1)
    likeliest = int(fits.argmax())
    dx, dy = _templates()[2][likeliest, overlaps[likeliest].argmax()]
    shape = SHAPES[likeliest] if fits[likeliest] >= LEAST_FIT else None
    off_palette = np.linalg.norm(piece.rgb - rgb(piece.tint) / 255) > COLOUR_TOLERANCE
    return Found(
        shape,
        None if off_palette else piece.tint,
        piece.x + float(dx),
        piece.y + float(dy),
        piece.tint,
        tuple(fits.tolist()),
    )


@cache
def _templates() -> tuple[
    Float[np.ndarray, "pixels templates"],
    Float[np.ndarray, "templates"],
    Float[np.ndarray, "shapes poses 2"],
]:
    """Flat masks, their areas, and each pose's centre (x, y) from the window's.

    The poses are all scales and all small offsets of the centroid.
    """
    masks, centres = [], []
    for shape, scale in product(SHAPES, _SCALES):
        sag = _sag(shape, scale)
        for dx, dy in product(_OFFSETS, _OFFSETS):
            masks.append(_mask(shape, scale, dx, dy - sag))
            centres.append((dx, dy - sag))
    flat = np.stack(masks, axis=1).astype(np.float32)
    return flat, flat.sum(0), np.array(centres).reshape(len(SHAPES), -1, 2)


def _mask(shape: str, scale: float, dx: float, dy: float) -> np.ndarray:
    middle = WINDOW / 2
    return coverage(shape, WINDOW, x=middle + dx, y=middle + dy, scale=scale).ravel() >= 0.5


def _sag(shape: str, scale: float) -> float:
    """The distance of the centroid below the centre, to the nearest half pixel, so that unmoved renders fit exactly."""
    rows = np.nonzero(_mask(shape, scale, 0.0, 0.0).reshape(WINDOW, WINDOW))[0]
    return round(2 * (float(rows.mean()) + 0.5 - WINDOW / 2)) / 2
