import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from margrpo.errors import DataError
from margrpo.nets.kl16 import Kl16, KlShape, told_by
from tests.golden.reading import allowed, largest_difference, layouts, recorded

GOLDEN = recorded("vae")
SMALL = KlShape(width=32, multipliers=(1, 1, 2), attention=1)
PUBLISHED = KlShape(width=128, multipliers=(1, 1, 2, 2, 4), attention=4)
TINY = KlShape(width=32, multipliers=(1, 1), attention=1)


def built(shape: KlShape, *, image: int, batch: int = 8) -> Kl16:
    return Kl16(shape, image=image, scale=0.2325, batch=batch).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def codec() -> Kl16:
    made = built(SMALL, image=32)
    made.load_state_dict(recorded("vae", "state_dict."))
    return made


@pytest.fixture(scope="module")
def tiny() -> Kl16:
    return built(TINY, image=8)


@pytest.mark.golden("STATE_DICT_LAYOUTS")
def test_the_full_size_has_exactly_the_published_names_and_shapes():
    layout = layouts()["vae_kl16"]
    with torch.device("meta"):
        made = built(PUBLISHED, image=256)
    assert {name: list(value.shape) for name, value in made.state_dict().items()} == layout["state_dict"]
    assert sum(parameter.numel() for parameter in made.parameters()) == layout["params"] == 66_456_019


@pytest.mark.golden("vae")
@pytest.mark.parametrize("output", ["mean", "logvar", "mode"])
def test_the_posterior_is_the_published_one(codec: Kl16, output: str):
    posterior = codec.posterior((GOLDEN["in.image"] + 1) / 2)
    ours = posterior.mode() if output == "mode" else getattr(posterior, output)
    assert largest_difference(ours, GOLDEN[f"out.{output}"]) <= allowed("vae", output)


@pytest.mark.golden("vae")
@pytest.mark.parametrize(
    ("output", "latents"),
    [("decode", GOLDEN["in.z"]), ("decode_5x7", GOLDEN["in.z_5x7"]), ("decode_scaled", GOLDEN["in.z"] / 0.2325)],
    ids=["decode", "decode_5x7", "decode_scaled"],
)
def test_the_picture_is_the_published_one(codec: Kl16, output: str, latents: torch.Tensor):
    assert largest_difference(codec.picture(latents), GOLDEN[f"out.{output}"]) <= allowed("vae", output)


def test_below_another_module_the_published_names_stand_after_its_own(tiny: Kl16):
    outer, other = nn.ModuleDict({"codec": tiny}), nn.ModuleDict({"codec": built(TINY, image=8)})
    tensors = outer.state_dict()
    assert set(tensors) == {f"codec.{name}" for name in tiny.state_dict()}
    assert tensors["codec.encoder.mid.attn_1.q.weight"].shape == (32, 32, 1, 1)
    other.load_state_dict(tensors)
    assert all(torch.equal(value, tensors[name]) for name, value in other.state_dict().items())


@pytest.mark.parametrize("lost", ["decoder.up.1.upsample.conv.weight", "encoder.mid.attn_1.v.weight"])
def test_a_tensor_that_is_missing_is_not_passed_over(tiny: Kl16, lost: str):
    tensors = {name: value for name, value in tiny.state_dict().items() if name != lost}
    with pytest.raises(RuntimeError, match="Missing key"):
        built(TINY, image=8).load_state_dict(tensors)


@settings(derandomize=True, deadline=None, max_examples=8)
@given(images=st.integers(1, 4), batch=st.integers(1, 5))
def test_how_many_go_through_at_once_changes_no_image(tiny: Kl16, images: int, batch: int):
    tokens = torch.randn(images, 16, 16, generator=torch.Generator().manual_seed(images))
    one_by_one = torch.cat([tiny.decode(each[None]) for each in tokens])
    tiny.batch = batch
    assert torch.allclose(tiny.decode(tokens), one_by_one, atol=1e-5)
    assert torch.allclose(tiny.encode(one_by_one), torch.cat([tiny.encode(x[None]) for x in one_by_one]), atol=1e-5)


def test_a_token_is_that_of_its_place_row_by_row(tiny: Kl16):
    pictures = torch.stack([torch.arange(16.0).reshape(4, 4)] * 16)[None]
    tokens = torch.arange(16.0)[None, :, None].expand(1, 16, 16) * tiny.scale
    expected = ((tiny.picture(pictures) + 1) / 2).clamp(0, 1)
    assert torch.allclose(tiny.decode(tokens), expected, atol=1e-5)


def test_an_image_of_another_size_is_refused_in_a_sentence(tiny: Kl16):
    with pytest.raises(DataError) as said:
        tiny.encode(torch.zeros(1, 3, 8, 12))
    assert str(said.value) == (
        "images are 8 × 12 pixels where codec.image = 8; resize them to 8 × 8 or set codec.image to their side"
    )


@pytest.mark.parametrize("shape", [SMALL, PUBLISHED, TINY], ids=["small", "published", "tiny"])
def test_the_sizes_can_be_told_by_the_published_shapes(shape: KlShape):
    with torch.device("meta"):
        made = built(shape, image=256)
    assert told_by({name: value.shape for name, value in made.state_dict().items()}) == vars(shape)


def test_shapes_of_another_model_tell_no_sizes():
    assert told_by({"blocks.0.weight": (3, 3)}) == {}
    assert told_by({"encoder.conv_in.weight": (32, 3, 3, 3)}) == {}
