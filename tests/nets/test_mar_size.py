import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.attention import Sdpa
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.lazy import torch
from margrpo.nets.mar_size import AROUND, SIZES, cure, name_of, published_size, told_by
from margrpo.weights.published_names import published_name
from tests.golden.reading import layouts

BASE = Mar(weights="random", conditioner=Label(), parameterization=Epsilon())


def shapes_of(policy: Mar) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = policy.assemble(Sdpa())
    return {published_name(name): tuple(value.shape) for name, value in model.state_dict().items()}


@pytest.mark.parametrize("size", SIZES)
def test_the_shapes_of_a_published_model_tell_its_size(size: str):
    told = told_by(layouts()[f"mar_{size}"]["state_dict"])
    assert told is not None
    assert name_of(told) == size
    assert published_size(told) == size
    assert {key: told[key] for key in AROUND} == AROUND


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.data())
def test_shapes_tell_every_setting_but_the_heads(data: st.DataObject):
    keys = ("tokens", "channels", "encoder_depth", "decoder_depth", "head_depth")
    chosen = {key: data.draw(st.integers(1, 4), key) for key in keys}
    chosen |= {key: 8 * data.draw(st.integers(1, 4), key) for key in ("width", "head_width")}
    classes, prefix = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    policy = Mar(
        weights="random",
        conditioner=Label(classes=classes, prefix=prefix),
        parameterization=Epsilon(),
        heads=2,
        **chosen,
    )
    assert told_by(shapes_of(policy)) == {**chosen, "conditioner.classes": classes, "conditioner.prefix": prefix}


def test_shapes_of_something_else_tell_nothing():
    assert told_by({}) is None
    assert told_by(layouts()["vae_kl16"]["state_dict"]) is None
    assert cure({"z_proj.weight": (3, 4)}, BASE.sizes(), "base") == ""


def test_what_would_fit_is_the_size_or_the_settings_that_differ():
    large = layouts()["mar_large"]["state_dict"]
    assert cure(large, BASE.sizes(), "base") == '; policy.size = "large" would fit'
    ours = Mar(weights="random", conditioner=Label(classes=10), parameterization=Epsilon(), tokens=64)
    assert cure(large, ours.sizes(), "base") == (
        '; policy.size = "large", policy.tokens = 256, policy.conditioner.classes = 1000 would fit'
    )
    thin = Mar(weights="random", conditioner=Label(), parameterization=Epsilon(), width=96, head_depth=2)
    assert cure(shapes_of(thin), BASE.sizes(), "base") == "; policy.width = 96, policy.head_depth = 2 would fit"
    assert cure(shapes_of(BASE), BASE.sizes(), "base") == ""


def test_a_size_gives_the_settings_that_are_not_given():
    huge = Mar(weights="random", size="huge", conditioner=Label(), parameterization=Epsilon(), head_depth=2)
    assert (huge.width, huge.encoder_depth, huge.decoder_depth, huge.heads) == (1280, 20, 20, 16)
    assert (huge.head_width, huge.head_depth) == (1536, 2)
