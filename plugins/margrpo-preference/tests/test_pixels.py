import numpy as np
import pytest
import torch
from margrpo_preference.pixels import MEAN, STD, cropped, normalised, padded
from PIL import Image
from transformers import CLIPImageProcessorPil


def picture(height: int, width: int) -> torch.Tensor:
    return torch.randint(256, (1, 3, height, width), generator=torch.Generator().manual_seed(height)) / 255


def as_pil(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((image[0].permute(1, 2, 0) * 255).round().byte().numpy())


@pytest.mark.parametrize("size", [(48, 48), (256, 256), (64, 64), (100, 160), (300, 200), (224, 224)])
def test_pictures_are_prepared_as_the_librarys_own_processor_does(size: tuple[int, int]) -> None:
    """Of noise fewer than one value in a hundred is another, and that by one or two of 255."""
    image = picture(*size)
    theirs = CLIPImageProcessorPil()(as_pil(image), return_tensors="pt")["pixel_values"]
    ours = normalised(cropped(image, 224))
    levels = ((ours - theirs) * torch.tensor(STD)[:, None, None] * 255).abs()
    assert levels.max() < 2.01
    assert float((levels > 0.5).float().mean()) < 0.01


def test_a_wide_picture_is_padded_with_black() -> None:
    made = padded(torch.ones(1, 3, 32, 64), 16)
    assert made.shape == (1, 3, 16, 16)
    assert bool((made[..., 4:12, :] == 1).all())
    assert float(made.sum()) == 3 * 8 * 16
    assert torch.equal(padded(picture(16, 16), 16), cropped(picture(16, 16), 16))


def test_the_mean_and_std_are_those_of_the_processor() -> None:
    processor = CLIPImageProcessorPil()
    assert np.allclose(processor.image_mean, MEAN)
    assert np.allclose(processor.image_std, STD)
