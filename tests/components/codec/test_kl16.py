import importlib.util
from pathlib import Path

import pytest
import torch
from einops import rearrange
from torch import Tensor

from margrpo.components.codec.kl16 import Kl16, MissingDiffusers
from margrpo.contracts import Autoencoder
from margrpo.declare import SettingError
from margrpo.errors import WeightsError
from margrpo.weights import modules
from tests.golden.reading import allowed, largest_difference, recorded

GOLDEN = recorded("vae")
SIZES = {"image": 32, "width": 32, "multipliers": (1, 1, 2), "attention": 1}
TINY = Kl16(weights="random", image=4, width=32, multipliers=(1,), attention=0)


def published(folder: Path, tensors: dict[str, Tensor]) -> str:
    """A file of the public structure, with what the training of the autoencoder left in it."""
    path = folder / "kl16.ckpt"
    torch.save({"model": {**tensors, "loss.logvar": torch.zeros(1)}}, path)
    return str(path)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    file = published(tmp_path_factory.mktemp("published"), recorded("vae", "state_dict."))
    return Kl16(checkpoint=file, **SIZES).build()


def test_tokens_are_the_mode_of_the_published_posterior_times_the_scale(codec: Autoencoder):
    expected = rearrange(GOLDEN["out.mode"] * 0.2325, "b d y x -> b (y x) d")
    tokens = codec.encode((GOLDEN["in.image"] + 1) / 2)
    assert largest_difference(tokens, expected) <= 0.2325 * allowed("vae", "mode")


def test_images_are_the_published_ones_moved_to_the_unit_interval(codec: Autoencoder):
    expected = ((GOLDEN["out.decode_scaled"] + 1) / 2).clamp(0, 1)
    images = codec.decode(rearrange(GOLDEN["in.z"], "b d y x -> b (y x) d"))
    assert largest_difference(images, expected) <= 0.5 * allowed("vae", "decode_scaled")
    assert 0 == float(images.min()) < float(images.max()) == 1


def test_nothing_in_it_can_be_trained(codec: Autoencoder):
    assert not any(parameter.requires_grad for parameter in codec.parameters())
    assert not any(module.training for module in codec.modules())


def test_what_a_run_writes_holds_the_published_names_and_is_read_back(codec: Autoencoder, tmp_path: Path):
    file = tmp_path / "policy.safetensors"
    modules.write(file, {"policy": torch.nn.Linear(1, 1), "codec": codec})
    assert set(modules.read(str(file), "codec")) == set(recorded("vae", "state_dict."))
    again = Kl16(checkpoint=str(file), **SIZES).build()
    assert all(torch.equal(value, codec.state_dict()[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize("settings", [SIZES, {"image": 8, "width": 64, "multipliers": (1, 2), "attention": 1}])
def test_the_geometry_is_that_of_the_tokens(settings: dict[str, object]):
    component = Kl16(weights="random", **settings)
    codec, side = component.build(), component.image
    tokens = codec.encode(torch.rand(3, 3, side, side))
    assert tokens.shape == (3, *component.geometry())
    assert codec.decode(tokens).shape == (3, 3, side, side)
    assert Kl16(weights="random").geometry() == (256, 16)


def test_random_weights_come_from_the_seed_alone():
    first, again, other = TINY.build(), TINY.build(), Kl16(**{**vars(TINY), "seed": 1}).build()
    tokens = torch.randn(1, 16, 16)
    assert torch.equal(first.decode(tokens), again.decode(tokens))
    assert not torch.equal(first.decode(tokens), other.decode(tokens))


def test_fitting_changes_nothing():
    codec = TINY.build()
    before = {name: value.clone() for name, value in codec.state_dict().items()}
    codec.fit(torch.rand(2, 3, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in codec.state_dict().items())


def test_a_file_of_other_sizes_is_refused_with_the_settings_that_fit(tmp_path: Path):
    file = published(tmp_path, recorded("vae", "state_dict."))
    with pytest.raises(WeightsError, match="does not fit the model") as said:
        Kl16(checkpoint=file, image=8, width=64, multipliers=(1, 2), attention=1).build()
    assert str(said.value).endswith("; codec.width = 32, codec.multipliers = [1, 1, 2] would fit")


def test_a_tensor_that_is_missing_is_named(tmp_path: Path):
    tensors = recorded("vae", "state_dict.")
    del tensors["decoder.up.2.block.1.norm2.bias"]
    with pytest.raises(WeightsError) as said:
        Kl16(checkpoint=published(tmp_path, tensors), **SIZES).build()
    assert str(said.value).endswith("does not fit the model: decoder.up.2.block.1.norm2.bias is missing")


def test_the_file_of_a_policy_is_refused(tmp_path: Path):
    file = published(tmp_path, recorded("mar_backbone_s16", "state_dict."))
    with pytest.raises(WeightsError, match=r"is not a codec: it holds a MAR, so give it as policy\.checkpoint"):
        Kl16(checkpoint=file, **SIZES).build()


def test_another_file_than_the_recipe_asks_for_is_refused(tmp_path: Path):
    file = published(tmp_path, recorded("vae", "state_dict."))
    with pytest.raises(WeightsError, match="SHA-256"):
        Kl16(checkpoint=file, sha256="0" * 64, **SIZES).build()


def test_without_diffusers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDiffusers) as said:
        TINY.build()
    assert str(said.value) == 'codec.use = "kl16" needs diffusers, which is not installed; pip install "margrpo[mar]"'


def test_settings_that_do_not_go_together_are_named():
    given = {"checkpoint": "kl16.ckpt"}
    assert Kl16(**given).problems() == []
    assert Kl16(**given, image=250).problems() == ["image = 250 is not a multiple of the stride, which is 16"]
    assert Kl16(**given, width=40).problems() == [
        "width = 40 times multipliers = [1, 1, 2, 2, 4] must be multiples of 32, the groups of normalisations"
    ]
    assert Kl16(**given, multipliers=(1, 2)).problems() == [
        "attention = 4 is not a level of multipliers = [1, 2]; give 0 to 1"
    ]
    for multipliers in ((), (1, 0)):
        assert Kl16(**given, multipliers=multipliers).problems() == [
            f"multipliers = {list(multipliers)} must be one or more whole numbers, each 1 or more"
        ]
    with pytest.raises(SettingError, match="scale = 0 must be greater than 0"):
        Kl16(scale=0)


def test_an_absent_checkpoint_is_named_before_anything_is_built():
    (said,) = Kl16().problems()
    assert said.startswith("checkpoint is missing; give a path, ")
    with pytest.raises(WeightsError, match=r"codec\.checkpoint is empty"):
        Kl16().build()


def test_where_it_is_published_is_told_of_the_published_sizes_alone():
    assert "util/download.py puts it at pretrained_models/vae/kl16.ckpt" in Kl16().published()
    assert Kl16(**SIZES).published() == ""
