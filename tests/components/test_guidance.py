import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.guidance import Constant, Linear
from margrpo.declare import SettingError
from margrpo.maths.unmasking import cosine_counts
from tests.golden.reading import MANIFEST


def test_the_linear_scale_is_the_published_one():
    hyper = MANIFEST["mar_sampling_s16_cfg3_linear_T25_iter4_temp1.safetensors"]["hyper"]
    scales = [Linear(weight=hyper["cfg"]).scale(16, left) for left in cosine_counts(16, hyper["num_iter"])[1:]]
    assert scales == pytest.approx(hyper["cfg_iter_per_step"])


@settings(derandomize=True, deadline=None)
@given(weight=st.floats(0, 10), tokens=st.integers(2, 300), data=st.data())
def test_a_linear_scale_lies_between_one_and_its_weight(weight: float, tokens: int, data: st.DataObject):
    scale = Linear(weight=weight).scale(tokens, data.draw(st.integers(0, tokens)))
    assert min(1.0, weight) - 1e-9 <= scale <= max(1.0, weight) + 1e-9
    assert Constant(weight=weight).scale(tokens, 1) == weight


def test_a_negative_scale_is_refused():
    with pytest.raises(SettingError, match=r"weight = -1\.0 must be 0 or more"):
        Constant(weight=-1.0)
