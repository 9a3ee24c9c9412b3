import argparse
from pathlib import Path
from typing import Any

import pytest
import torch

from margrpo.components.attention import Sdpa
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.errors import WeightsError
from margrpo.testing import small
from margrpo.weights import modules
from margrpo.weights.published_names import published_name
from tests.golden.reading import recorded


def test_what_is_written_is_read_back(tmp_path: Path):
    model, other = small.pipeline(seed=1).model, small.pipeline(seed=2).model
    modules.write(tmp_path / "new" / "model.safetensors", {"policy": model})
    modules.put(other, modules.read(str(tmp_path / "new" / "model.safetensors"), "policy"), "model")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in other.state_dict().items())
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["model.safetensors"]


def test_a_file_for_another_model_is_refused_with_every_difference(tmp_path: Path):
    modules.write(tmp_path / "one.safetensors", {"policy": torch.nn.Linear(2, 3)})
    tensors = modules.read(str(tmp_path / "one.safetensors"), "policy")
    with pytest.raises(WeightsError) as said:
        modules.put(torch.nn.Linear(2, 4, bias=False), tensors, "one.safetensors")
    assert str(said.value) == (
        "one.safetensors: does not fit the model: bias is left over; weight is (3, 2) where the model has (4, 2)"
    )


def test_a_missing_a_torn_and_a_foreign_file_are_refused(tmp_path: Path):
    torn = tmp_path / "torn.safetensors"
    modules.write(tmp_path / "codec.safetensors", {"codec": torch.nn.Linear(1, 1)})
    torn.write_bytes((tmp_path / "codec.safetensors").read_bytes()[:-1])
    for source, said in {
        tmp_path / "none.safetensors": "there is no such file; give a path, package://",
        torn: "is not a whole safetensors file",
        tmp_path / "codec.safetensors": r"holds no tensor named policy\.\*",
        "package://no_such_package/x.safetensors": "no installed package has this file; install the package",
    }.items():
        with pytest.raises(WeightsError, match=said):
            modules.read(str(source), "policy")


SIZES: dict[str, Any] = {"width": 32, "heads": 4, "encoder_depth": 2, "decoder_depth": 2, "head_width": 64}
SIZES |= {"head_depth": 2, "tokens": 16}
INNER = {"conditioner": Label(classes=10, prefix=8), "parameterization": Epsilon()}


def mar(**settings: Any) -> Mar:
    return Mar(**{**SIZES, **INNER, **settings})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the public structure, whose model and average are the policy and the reference of the release."""
    file = tmp_path_factory.mktemp("published") / "checkpoint-last.pth"
    args = argparse.Namespace(model="mar_tiny")
    sets = {"model": recorded("margrpo_loss", "policy."), "model_ema": recorded("margrpo_loss", "ref.")}
    torch.save({**sets, "optimizer": {"state": {}}, "epoch": 3, "args": args}, file)
    return file


@pytest.mark.parametrize(("choice", "recorded_as"), [("ema", "ref."), ("model", "policy.")])
def test_a_published_checkpoint_loads_by_name_with_the_average_or_the_model(
    choice: str, recorded_as: str, published: Path
):
    built = mar(checkpoint=str(published), weights=choice).build(attention=Sdpa())
    theirs = recorded("margrpo_loss", recorded_as)
    assert {published_name(name) for name in built.state_dict()} == set(theirs)
    assert all(torch.equal(value, theirs[published_name(name)]) for name, value in built.state_dict().items())


def test_what_keeps_a_published_checkpoint_from_fitting_is_named_with_what_would_fit(published: Path):
    with pytest.raises(WeightsError) as caught:
        mar(checkpoint=str(published), width=64, encoder_depth=3).build(attention=Sdpa())
    said = str(caught.value)
    assert said.startswith(f"{published}: does not fit the model: encoder_blocks.2.norm1.weight is missing; ")
    assert said.endswith(" more; policy.width = 32, policy.encoder_depth = 2 would fit")


def test_a_tensor_that_is_lost_or_added_or_no_float_is_named(tmp_path: Path):
    tensors = recorded("margrpo_loss", "policy.")
    tensors["extra.weight"] = tensors.pop("mask_token")
    tensors["z_proj.bias"] = tensors["z_proj.bias"].long()
    torch.save({"model": tensors}, tmp_path / "x.pth")
    with pytest.raises(WeightsError) as caught:
        mar(checkpoint=str(tmp_path / "x.pth")).build(attention=Sdpa())
    assert str(caught.value) == (
        f"{tmp_path / 'x.pth'}: does not fit the model: mask_token is missing; extra.weight is left over; "
        "z_proj.bias is of int64 where the model has float32"
    )


def test_a_tensor_that_is_not_finite_is_refused_by_name(tmp_path: Path):
    tensors = dict(recorded("margrpo_loss", "policy."))
    tensors["mask_token"] = torch.full_like(tensors["mask_token"], torch.inf)
    torch.save({"model": tensors}, tmp_path / "x.pth")
    with pytest.raises(WeightsError) as caught:
        mar(checkpoint=str(tmp_path / "x.pth")).build(attention=Sdpa())
    assert str(caught.value) == (
        f"{tmp_path / 'x.pth'}: does not fit the model: mask_token is not finite: it holds NaN or infinity"
    )


def test_half_precision_in_a_file_becomes_float32(tmp_path: Path):
    tensors = recorded("margrpo_loss", "policy.")
    torch.save({"model": {name: value.bfloat16() for name, value in tensors.items()}}, tmp_path / "x.pth")
    built = mar(checkpoint=str(tmp_path / "x.pth")).build(attention=Sdpa())
    assert {value.dtype for value in built.state_dict().values()} == {torch.float32}
    assert torch.equal(built.backbone.mae.mask_token, tensors["mask_token"].bfloat16().float())


def test_the_file_of_an_autoencoder_is_refused_as_a_policy(tmp_path: Path):
    torch.save({"model": recorded("vae", "state_dict.")}, tmp_path / "kl16.ckpt")
    with pytest.raises(WeightsError) as caught:
        mar(checkpoint=str(tmp_path / "kl16.ckpt")).build(attention=Sdpa())
    assert str(caught.value) == (
        f"{tmp_path / 'kl16.ckpt'}: is not a policy: it holds an autoencoder, so give it as codec.checkpoint"
    )


def test_an_empty_checkpoint_is_refused_by_name():
    assert mar().problems()[0].startswith("checkpoint is missing; give a path, package://package/FILE or hf://")
    with pytest.raises(WeightsError, match=r'policy\.checkpoint is empty; .*, or set policy\.weights = "random"'):
        mar().build(attention=Sdpa())


def test_another_file_than_the_digest_says_is_refused_before_it_is_read(published: Path):
    with pytest.raises(WeightsError, match="its SHA-256 is"):
        mar(checkpoint=str(published), sha256="0" * 64).build(attention=Sdpa())
