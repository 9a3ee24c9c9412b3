from pathlib import Path

import pytest
import torch

from margrpo.components.codec.patch import Patch
from margrpo.declare import SettingError
from margrpo.weights import modules


@pytest.mark.parametrize(("patch", "components", "geometry"), [(2, 0, (16, 12)), (4, 5, (4, 5)), (8, 0, (1, 192))])
def test_the_geometry_is_that_of_the_tokens(patch: int, components: int, geometry: tuple[int, int]):
    codec = Patch(image=8, patch=patch, components=components)
    assert codec.geometry() == geometry
    assert codec.build().encode(torch.zeros(1, 3, 8, 8)).shape == (1, *geometry)


def test_a_fitted_codec_comes_back_from_its_file(tmp_path: Path):
    settings, images = {"image": 4, "patch": 2, "components": 3}, torch.rand(9, 3, 4, 4)
    codec = Patch(**settings).build()
    codec.fit(images)
    modules.write(tmp_path / "codec.safetensors", {"codec": codec})
    again = Patch(**settings, checkpoint=str(tmp_path / "codec.safetensors")).build()
    assert torch.equal(again.encode(images), codec.encode(images))


def test_settings_that_do_not_go_together_are_named():
    assert Patch(image=9, patch=2).problems() == ["image = 9 is not a multiple of patch = 2"]
    assert Patch(image=4, patch=2, components=13).problems() == [
        "components = 13 is more than the 12 values of a patch"
    ]
    assert Patch(image=4, patch=2, components=12).problems() == []
    with pytest.raises(SettingError, match="patch = 0 must be 1 or more"):
        Patch(patch=0)
