import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin

from margrpo.errors import PluginError, WeightsError
from margrpo.weights import pretrained


class Line(torch.nn.Linear, PyTorchModelHubMixin):
    """A model that has from_pretrained and save_pretrained."""

    def __init__(self, inputs: int = 2):
        super().__init__(inputs, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Line(3).save_pretrained(tmp_path, config={"inputs": 3})
    return tmp_path


def test_a_folder_is_loaded(folder: Path):
    pretrained.require(str(folder), "reward x", "huggingface_hub")
    model = pretrained.loaded(Line, str(folder))
    assert model.in_features == 3
    assert pretrained.loaded(Line, str(folder), inputs=3).in_features == 3


def test_what_is_no_model_is_told(folder: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for place, said in (
        ("nowhere", r"^reward x: nowhere is not a folder; give a folder, or hf://owner/name\[@revision\]$"),
        (str(tmp_path / "empty"), r"empty holds no config\.json; give a folder as save_pretrained writes it$"),
        ("hf://one", r"^reward x: hf://one names no repository; give a folder, or hf://owner/name"),
    ):
        with pytest.raises(WeightsError, match=said):
            pretrained.require(place, "reward x")
    (folder / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"^.*: Line cannot be loaded from it \(.+\)$"):
        pretrained.loaded(Line, str(folder))
    with pytest.raises(PluginError, match=r"^reward x needs nothing_such, which is not installed; pip install nothing"):
        pretrained.require(str(folder), "reward x", "nothing_such")


def test_a_repository_is_asked_for_by_name_and_revision():
    asked: list[tuple[str, dict[str, str]]] = []

    class Asked:
        @classmethod
        def from_pretrained(cls, name: str, **more: str) -> None:
            asked.append((name, more))

    pretrained.loaded(Asked, "hf://owner/name")
    pretrained.loaded(Asked, "hf://owner/name@v1", dtype="auto")
    assert asked == [("owner/name", {}), ("owner/name", {"revision": "v1", "dtype": "auto"})]


def test_without_the_hub_only_what_is_in_its_cache_can_be_had(monkeypatch: pytest.MonkeyPatch):
    assert pretrained.obstacle("hf://nobody/nothing") == ""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pretrained.obstacle("hf://nobody/nothing@v1") == (
        "is not in the Hub's cache, and HF_HUB_OFFLINE is set; unset it to download the model, or give a folder"
    )


def test_no_torch_is_imported():
    code = (
        "import sys; from margrpo.weights.pretrained import obstacle; "
        "obstacle('hf://a/b'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
