"""Pictures inside a page, small enough for one file."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH = 1100
"""Pixels of a grid at most."""


def data_uri(image: Image.Image, *, lossless: bool) -> str:
    """An image as WebP in a data URI."""
    file = BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=82, lossless=lossless, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def picture(file: Path, width: int = WIDTH) -> str:
    """A picture at most `width` wide as a data URI; empty where the file is missing or still being written."""
    try:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError):  # Pillow raises either of a PNG that is being written
        return ""
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    return data_uri(image, lossless=image.width <= 64)


def strip(frames: np.ndarray) -> str:
    """Frames (s h w 3) side by side."""
    return data_uri(Image.fromarray(np.concatenate(list(frames), axis=1)), lossless=frames.shape[1] <= 64)
