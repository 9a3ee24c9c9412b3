import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.dataset.shapes import Shapes as Images
from margrpo.components.reward.shapes import Shapes
from margrpo.declare import SettingError


def test_a_true_picture_scores_one_and_a_blank_one_less():
    images, prompts = Images().images(0, 12, seed=0)
    for strictness in (0.0, 0.5, 1.0):
        assert torch.equal(Shapes(strictness=strictness).score(images, prompts), torch.ones(12))
    assert bool((Shapes(strictness=1.0).score(torch.ones_like(images), prompts) == 0).all())


@settings(derandomize=True, deadline=None, max_examples=10)
@given(strictness=st.floats(0, 1), index=st.integers(0, 1000))
def test_strictness_mixes_the_strict_and_the_soft_score(strictness: float, index: int):
    images, prompts = Images(mislabelled=1.0).images(index, 6, seed=0)
    soft, strict = (Shapes(strictness=share).score(images, prompts) for share in (0.0, 1.0))
    mixed = Shapes(strictness=strictness).score(images, prompts)
    assert torch.allclose(mixed, strictness * strict + (1 - strictness) * soft, atol=1e-6)
    assert bool(((mixed >= 0) & (mixed <= 1)).all())


def test_a_strictness_above_one_is_refused():
    with pytest.raises(SettingError, match=r"strictness = 2\.0 must be between 0 and 1"):
        Shapes(strictness=2.0)
