from pathlib import Path

import pytest
import torch

from margrpo.errors import WeightsError
from margrpo.nets import weights
from margrpo.testing import small


def test_what_is_written_is_read_back(tmp_path: Path):
    model, other = small.pipeline(seed=1).model, small.pipeline(seed=2).model
    weights.write(tmp_path / "new" / "model.safetensors", {"policy": model})
    weights.put(other, weights.read(str(tmp_path / "new" / "model.safetensors"), "policy"), "model")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in other.state_dict().items())
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["model.safetensors"]


def test_a_file_for_another_model_is_refused_with_every_difference(tmp_path: Path):
    weights.write(tmp_path / "one.safetensors", {"policy": torch.nn.Linear(2, 3)})
    tensors = weights.read(str(tmp_path / "one.safetensors"), "policy")
    with pytest.raises(WeightsError) as said:
        weights.put(torch.nn.Linear(2, 4, bias=False), tensors, "one.safetensors")
    assert str(said.value) == (
        "one.safetensors: does not fit the model: bias is left over; weight is (3, 2) where the model has (4, 2)"
    )


def test_a_missing_a_torn_and_a_foreign_file_are_refused(tmp_path: Path):
    torn = tmp_path / "torn.safetensors"
    weights.write(tmp_path / "codec.safetensors", {"codec": torch.nn.Linear(1, 1)})
    torn.write_bytes((tmp_path / "codec.safetensors").read_bytes()[:-1])
    for source, said in {
        tmp_path / "none.safetensors": "there is no such file; give a path, package://",
        torn: "is no whole safetensors file",
        tmp_path / "codec.safetensors": r"holds no tensor named policy\.\*",
        "package://no_such_package/x.safetensors": "no installed package has this file; install the package",
    }.items():
        with pytest.raises(WeightsError, match=said):
            weights.read(str(source), "policy")
