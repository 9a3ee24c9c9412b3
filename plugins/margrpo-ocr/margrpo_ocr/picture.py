"""Pictures of text whose text is known."""

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor


def picture(text: str, *, side: int = 256, size: int = 30) -> Float[Tensor, "3 {side} {side}"]:
    """A picture of black words on white, in Pillow's own font of `size` points, line below line."""
    image = Image.new("RGB", (side, side), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for number, line in enumerate(text.split("\n")):
        pen.text((side // 20, side // 3 + number * int(1.4 * size)), line, fill="black", font=font)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
