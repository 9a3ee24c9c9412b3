"""Images with their captions, as one PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from margrpo.pictures.token_maps import Mapped

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
    """An image as Pillow's, enlarged `scale` times without smoothing."""
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    small = Image.fromarray(pixels)
    return small.resize((small.width * scale, small.height * scale), Image.Resampling.NEAREST)


def tile(image: Float[Tensor, "3 h w"], caption: str, scale: int) -> Image.Image:
    """An enlarged image over its caption, which is broken into lines."""
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
    """Write pairs of images, before training over after training, each pair over its caption."""
    gap = torch.ones(before.shape[0], 3, 2, before.shape[-1], device=before.device)
    save_grid(path, torch.cat([before, gap, after], dim=2), captions)


RAMP = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""Dark to bright, for numbers laid over an image; its lightness grows evenly."""


def save_maps(path: Path, images: Sequence[Mapped], *, side: int = 112) -> None:
    """Write a row per image: the finished image, then each layer laid over it, with the range of its values."""
    names = ["", *(layer.name for layer in images[0].layers)]
    font, line = ImageFont.load_default(size=LETTERS + 1), LETTERS + 5
    cell, head = side + MARGIN, line + MARGIN
    sheet = Image.new("RGB", (len(names) * cell + MARGIN, head + len(images) * (cell + 2 * line)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(names):
        draw.text((MARGIN + column * cell, MARGIN // 2), name, fill="#111111", font=font)
    for row, each in enumerate(images):
        top, last = head + row * (cell + 2 * line), Image.fromarray(each.frames[-1]).resize((side, side))
        sheet.paste(last, (MARGIN, top))
        for place, words in enumerate(wrapped(each.caption, font, len(names) * cell)[:1]):
            draw.text((MARGIN, top + side + line + place * line), words, fill="#333333", font=font)
        for column, layer in enumerate(each.layers, start=1):
            values = layer.mean()
            sheet.paste(laid_over(last, values.reshape(each.side, each.side)), (MARGIN + column * cell, top))
            known = values[np.isfinite(values)]
            range_ = f"{known.min():.3g} to {known.max():.3g}" if len(known) else "not known"
            draw.text((MARGIN + column * cell, top + side + 1), range_, fill="#555555", font=font)
    sheet.save(path)


def laid_over(image: Image.Image, values: np.ndarray) -> Image.Image:
    """`values` as colours over a grey `image`; where a value is NaN the image stays."""
    known = np.isfinite(values)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 0.0)
    share = np.where(known, (values - low) / (high - low) if high > low else 0.0, 0.0)
    stops = np.linspace(0, 1, len(RAMP))
    colours = np.stack([np.interp(share, stops, [stop[c] for stop in RAMP]) for c in range(3)], axis=-1)
    over = Image.fromarray(colours.round().astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
    where = Image.fromarray((known * 170).astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
    return Image.composite(over, image.convert("L").convert("RGB"), where)
