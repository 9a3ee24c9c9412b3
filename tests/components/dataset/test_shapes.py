import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.dataset.shapes import Shapes
from margrpo.declare import SettingError
from margrpo.worlds import shapes


@settings(derandomize=True, deadline=None, max_examples=10)
@given(index=st.integers(0, 10**6), seed=st.integers(0, 10**6))
def test_a_batch_is_a_function_of_its_index_and_the_seed(index: int, seed: int):
    images, prompts = Shapes().images(index, 3, seed)
    again, same = Shapes().images(index, 3, seed)
    assert torch.equal(images, again)
    assert prompts.text == same.text
    assert not torch.equal(images, Shapes().images(index + 1, 3, seed)[0])
    assert not torch.equal(images, Shapes().images(index, 3, seed + 1)[0])


def test_images_show_what_their_captions_ask_for():
    images, prompts = Shapes().images(0, 24, seed=0)
    assert images.shape == (24, 3, 32, 32)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    found = shapes.scores(images.numpy(), [shapes.parse(text) for text in prompts.text])
    assert [score.strict for score in found] == [1.0] * 24


def test_held_out_captions_never_occur():
    _, prompts = Shapes().images(0, 300, seed=1)
    assert not set(prompts.text) & set(shapes.held_out_captions())


def test_every_kind_of_caption_is_equally_frequent():
    # Chi-squared with 5 degrees of freedom: 20.5 is passed in one of 1,000 seeds; the seed is fixed.
    _, prompts = Shapes().images(0, 600, seed=2)
    counts = [sum(shapes.parse(text).kind == kind for text in prompts.text) for kind in shapes.KINDS]
    assert sum((count - 100) ** 2 / 100 for count in counts) < 20.5


def test_mislabelled_images_are_the_same_images_under_other_captions():
    right, captions = Shapes().images(0, 40, seed=3)
    wrong, others = Shapes(mislabelled=1.0).images(0, 40, seed=3)
    assert torch.equal(right, wrong)
    assert sum(a != b for a, b in zip(captions.text, others.text, strict=True)) > 30


def test_a_share_above_one_is_refused():
    with pytest.raises(SettingError, match=r"mislabelled = 1\.5 must be between 0 and 1"):
        Shapes(mislabelled=1.5)
