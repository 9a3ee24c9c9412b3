"""Images with their captions, as one PNG."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

MARGIN, LETTERS = 8, 10


def save_grid(path: Path, images: Float[Tensor, "b 3 h w"], captions: Sequence[str], *, columns: int = 8) -> None:
    """Write the images row by row, each enlarged to about 96 pixels and with its caption below."""
    scale = max(1, 96 // images.shape[-1])
    tiles = [tile(image, caption, scale) for image, caption in zip(images, captions, strict=True)]
    width, height = max(one.width for one in tiles), max(one.height for one in tiles)
    rows = -(-len(tiles) // columns)
    size = (min(columns, len(tiles)) * (width + MARGIN) + MARGIN, rows * (height + MARGIN) + MARGIN)
    sheet = Image.new("RGB", size, "white")
    for place, one in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet.paste(one, (MARGIN + column * (width + MARGIN), MARGIN + row * (height + MARGIN)))
    sheet.save(path)


def picture(image: Float[Tensor, "3 h w"], scale: int) -> Image.Image:
    """One image, enlarged without smoothing."""
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    small = Image.fromarray(pixels)
    return small.resize((small.width * scale, small.height * scale), Image.Resampling.NEAREST)


def tile(image: Float[Tensor, "3 h w"], caption: str, scale: int) -> Image.Image:
    """One enlarged image over its caption, in as many lines as it takes."""
    shown = picture(image, scale)
    width, letters = max(shown.width, 96), max(LETTERS, shown.width // 18)
    font, line = ImageFont.load_default(size=letters), letters + 3
    lines = wrapped(caption, font, width)
    whole = Image.new("RGB", (width, shown.height + line * max(2, len(lines)) + 2), "white")
    whole.paste(shown, ((width - shown.width) // 2, 0))
    draw = ImageDraw.Draw(whole)
    for place, words in enumerate(lines):
        draw.text((0, shown.height + 2 + place * line), words, fill="#333333", font=font)
    return whole


def wrapped(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """The caption in lines no wider than `width` pixels, where its words allow."""
    lines: list[str] = []
    for word in caption.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def save_pairs(
    path: Path, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"], captions: Sequence[str]
) -> None:
    """Write each image before training over the one after, both over their caption."""
    gap = torch.ones(before.shape[0], 3, 2, before.shape[-1], device=before.device)
    save_grid(path, torch.cat([before, gap, after], dim=2), captions)
