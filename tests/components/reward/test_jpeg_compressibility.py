import io

import pytest
import torch
from PIL import Image

from margrpo.components.reward.jpeg_compressibility import JpegCompressibility
from margrpo.declare import SettingError
from margrpo.errors import RewardError
from margrpo.records import Prompt, grouped

PROMPTS = grouped([Prompt("flat"), Prompt("noisy")], 1)


def images() -> torch.Tensor:
    noisy = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.full_like(noisy, 0.5), noisy])


def test_the_score_is_minus_the_jpegs_bytes_over_a_thousand():
    flat = io.BytesIO()
    Image.new("RGB", (32, 32), (128, 128, 128)).save(flat, format="JPEG", quality=95)
    score = JpegCompressibility().score(images(), PROMPTS)
    assert score[0].item() == pytest.approx(-len(flat.getvalue()) / 1000)


def test_noise_scores_less_than_a_flat_image():
    flat, noisy = JpegCompressibility().score(images(), PROMPTS)
    assert noisy < flat - 1


def test_lower_quality_makes_noise_score_more():
    fine, coarse = (JpegCompressibility(quality=quality).score(images(), PROMPTS)[1] for quality in (95, 20))
    assert coarse > fine


def test_the_channels_last_image_keeps_its_rows_and_columns():
    stripes = (torch.arange(32) % 2).float().expand(1, 3, 8, 32)
    expected = io.BytesIO()
    Image.fromarray((stripes[0] * 255).byte().permute(1, 2, 0).numpy()).save(expected, format="JPEG", quality=95)
    score = JpegCompressibility().score(stripes, grouped([Prompt("stripes")], 1))
    assert score.item() == pytest.approx(-len(expected.getvalue()) / 1000)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_image_that_is_not_finite_is_named_and_not_scored(value: float):
    broken = images()
    broken[1, 0, 3, 3] = value
    with pytest.raises(RewardError, match=r"cannot score image 1 \('noisy'\): it has values that are not finite"):
        JpegCompressibility().score(broken, PROMPTS)


def test_a_quality_that_no_jpeg_has_is_refused():
    with pytest.raises(SettingError, match="quality = 0 must be between 1 and 100"):
        JpegCompressibility(quality=0)
