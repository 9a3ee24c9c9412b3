"""The palette: five colours that blur and noise do not confuse, on a light background."""

import numpy as np
from jaxtyping import UInt8

COLOURS = ("red", "green", "blue", "yellow", "purple")
BACKGROUND = (244, 242, 236)
_RGB = {
    "red": (222, 52, 56),
    "green": (38, 158, 84),
    "blue": (40, 96, 222),
    "yellow": (247, 190, 22),
    "purple": (126, 40, 156),
}


def rgb(colour: str) -> UInt8[np.ndarray, "3"]:
    """The eight-bit RGB value of one of `COLOURS`."""
    return np.array(_RGB[colour], dtype=np.uint8)
