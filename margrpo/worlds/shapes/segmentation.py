"""Images cut into connected pieces of one palette colour each."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from .colour import BACKGROUND, COLOURS, rgb
from .renderer import SIDE

MINIMUM_AREA = 16
"""Least size in pixels of a piece; smaller ones are noise. The smallest shape has 98."""
WINDOW = 20
"""Side in pixels of the crop around a piece; the shapes fit in it up to 17 wide and off centre."""
_ROWS = SIDE + 1


@dataclass(frozen=True)
class Piece:
    """A connected piece of the image numbered `image`; x and y are its rounded centroid, the centre of its window."""

    image: int
    tint: str
    area: int
    x: int
    y: int
    rgb: Float[np.ndarray, "3"]
    window: Bool[np.ndarray, "20 20"]


def pieces(images: Float[np.ndarray, "b 3 32 32"]) -> tuple[Piece, ...]:
    """Every connected piece of at least `MINIMUM_AREA` pixels, image by image."""
    # One labelling for the batch: all planes stacked into a tall picture, an empty row after each.
    planes = np.zeros((len(images), len(COLOURS), _ROWS, SIDE), dtype=bool)
    planes[:, :, :SIDE] = colour_planes(images)
    labels, count = ndimage.label(planes.reshape(-1, SIDE))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(labels)
    padded = np.pad(labels, WINDOW // 2)
    large = [label for label in range(1, count + 1) if areas[label] >= MINIMUM_AREA]
    return tuple(_piece(images, padded, label, boxes[label - 1]) for label in large)


def colour_planes(images: Float[np.ndarray, "b 3 32 32"]) -> Bool[np.ndarray, "b 5 32 32"]:
    """The pixels of each palette colour: at least half covered, and best explained as this colour over background."""
    rays, lengths = _rays()
    gaps = np.array(BACKGROUND) / 255 - np.moveaxis(images, 1, 3)
    along = gaps @ rays.T
    cover = np.clip(along / lengths, 0, 1)
    # |gap − cover·ray|² without |gap|², which is the same for all rays.
    misfit = cover * (cover * lengths - 2 * along)
    best = misfit.argmin(3)[:, None]
    planes: np.ndarray = (best == np.arange(len(rays))[:, None, None]) & np.moveaxis(cover >= 0.5, 3, 1)
    return planes


def _piece(images: np.ndarray, padded: np.ndarray, label: int, box: tuple[slice, slice]) -> Piece:
    half = WINDOW // 2
    top, left = box[0].start, box[1].start
    mask = padded[box[0].start + half : box[0].stop + half, box[1].start + half : box[1].stop + half]
    rows, columns = np.nonzero(mask == label)
    plane, top_in_plane = divmod(top, _ROWS)
    image, tint = divmod(plane, len(COLOURS))
    x, y = round(left + columns.mean() + 0.5), round(top_in_plane + rows.mean() + 0.5)
    colour = images[image][:, rows + top_in_plane, columns + left].mean(1)
    down = y + plane * _ROWS
    window = padded[down : down + WINDOW, x : x + WINDOW] == label
    return Piece(image, COLOURS[tint], len(rows), x, y, colour, window)


@cache
def _rays() -> tuple[Float[np.ndarray, "5 3"], Float[np.ndarray, "5"]]:
    rays = (np.array(BACKGROUND) - np.stack([rgb(colour) for colour in COLOURS])) / 255
    return rays, (rays**2).sum(1)
