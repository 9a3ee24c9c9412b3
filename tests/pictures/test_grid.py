from pathlib import Path

import pytest
import torch
from PIL import Image

from margrpo.pictures.grid import save_grid, tile


@pytest.mark.parametrize(("side", "shown"), [(32, 96), (96, 96), (256, 256)])
def test_a_small_image_is_enlarged_and_a_large_one_keeps_its_size(side: int, shown: int) -> None:
    made = tile(torch.zeros(3, side, side), "", max(1, 96 // side))
    assert made.width == shown
    assert made.crop((0, 0, shown, shown)).getcolors() == [(shown * shown, (0, 0, 0))]


def test_the_pixels_of_a_large_image_are_its_own(tmp_path: Path) -> None:
    image = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    save_grid(tmp_path / "x.png", image[None], ["a photo of a tench"])
    with Image.open(tmp_path / "x.png") as sheet:
        pixels = torch.frombuffer(bytearray(sheet.crop((8, 8, 264, 264)).tobytes()), dtype=torch.uint8)
    assert torch.equal(pixels.view(256, 256, 3).permute(2, 0, 1), (image * 255).round().byte())


def test_captions_grow_with_the_image() -> None:
    small, large = (tile(torch.ones(3, side, side), "a photo of a tench", 1) for side in (96, 256))
    assert large.height - 256 > small.height - 96


def test_a_long_caption_takes_the_lines_that_it_needs() -> None:
    short, long = (tile(torch.ones(3, 96, 96), "a tench " * words, 1) for words in (1, 12))
    assert long.height > short.height
