import argparse
import hashlib
import tomllib
from pathlib import Path

import pytest
import torch

from margrpo.recipe.structure import structure
from margrpo.weights import modules
from tests.cli.command import run
from tests.golden.reading import layouts, recorded
from tests.recipe.broken import GOOD

SHIPPED = "package://margrpo.worlds.shapes/base.safetensors"


@pytest.fixture(scope="module")
def mar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the public structure, of no published size."""
    file = tmp_path_factory.mktemp("mar") / "checkpoint-last.pth"
    sets = {"model": recorded("margrpo_loss", "policy."), "model_ema": recorded("margrpo_loss", "ref.")}
    torch.save({**sets, "optimizer": {"state": {}}, "epoch": 3, "args": argparse.Namespace(model="x")}, file)
    return file


@pytest.fixture(scope="module")
def kl16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("kl16") / "kl16.ckpt"
    torch.save({"model": {**recorded("vae", "state_dict."), "loss.logvar": torch.zeros(1)}}, file)
    return file


def told(*words: str | Path) -> str:
    done = run("weights", *words)
    assert done.exit_code == 0, done.output
    return done.stdout


def pasted(output: str) -> dict[str, object]:
    """The lines of the output that are for a recipe."""
    return tomllib.loads(output[output.index("\n[") :])


def test_a_published_checkpoint_is_told_with_the_lines_that_load_it(mar: Path):
    output = told("inspect", mar)
    rows = {line.split()[0]: line.split() for line in output.splitlines() if line.startswith("model")}
    count = sum(value.numel() for value in recorded("margrpo_loss", "policy.").values())
    for name in ("model", "model_ema"):
        assert rows[name][1:3] == [str(len(recorded("margrpo_loss", "policy."))), f"{count:,}"]
        assert rows[name][5] == "float32"
    assert "also in it  optimizer, epoch, args\n" in output
    assert "policy.mar  MAR, of an unpublished size\n" in output
    assert 'weights = "ema"\n' in output
    lines = pasted(output.replace("heads = …", "heads = 4"))
    assert lines["policy"]["sha256"] == hashlib.sha256(mar.read_bytes()).hexdigest()
    table = {**tomllib.loads(GOOD), **lines, "codec": {"use": "patch", "image": 16, "patch": 4, "components": 16}}
    recipe = structure(table)
    assert recipe.policy.build(attention=recipe.attention).tokens == 16


def test_the_published_sizes_are_told_by_name(tmp_path: Path):
    shapes = layouts()["mar_base"]["state_dict"]
    torch.save({"model": {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}}, tmp_path / "x.pth")
    output = told("inspect", tmp_path / "x.pth")
    assert "policy.mar  MAR, size base\n" in output
    policy = pasted(output)["policy"]
    assert policy == {
        "use": "mar",
        "checkpoint": str(tmp_path / "x.pth"),
        "weights": "model",
        "sha256": policy["sha256"],
        "size": "base",
        "conditioner": {"use": "label", "classes": 1000, "prefix": 64},
        "parameterization": {"use": "epsilon"},
    }


def test_an_autoencoder_is_told_with_its_sizes(kl16: Path):
    output = told("inspect", kl16)
    assert "codec.kl16  KL autoencoder of latent diffusion\n" in output
    codec = pasted(output)["codec"]
    assert (codec["width"], codec["multipliers"], codec["attention"]) == (32, [1, 1, 2], 1)


def test_both_parts_of_a_file_that_margrpo_wrote_are_told():
    output = told("inspect", SHIPPED)
    assert output.index("codec.patch  principal components of patches") < output.index("policy.mar  MAR, of an unpub")
    codec, policy = output.replace("heads = …", "heads = 4").split("policy.mar")
    assert pasted(codec)["codec"] | {"sha256": ""} == {
        "use": "patch",
        "checkpoint": SHIPPED,
        "weights": "model",
        "sha256": "",
        "patch": 8,
        "components": 24,
    }
    assert pasted(policy)["policy"]["width"] == 128
    assert pasted(policy)["policy"]["checkpoint"] == SHIPPED


def test_what_is_not_finite_and_what_does_not_fit_is_named(mar: Path, tmp_path: Path):
    tensors = dict(recorded("margrpo_loss", "policy."))
    tensors["mask_token"] = torch.full_like(tensors["mask_token"], torch.nan)
    del tensors["fake_latent"]
    torch.save({"model": tensors}, tmp_path / "x.pth")
    output = told("inspect", tmp_path / "x.pth")
    assert "NaN or infinity in mask_token" in output
    assert "It does not fit: fake_latent is missing; mask_token is not finite: it holds NaN or infinity.\n" in output
    assert "[policy]" not in output


def test_tensors_that_nothing_here_knows_are_still_told(tmp_path: Path):
    torch.save({"conv.weight": torch.zeros(2, 3)}, tmp_path / "x.pth")
    output = told("inspect", tmp_path / "x.pth")
    assert "Its names fit neither a policy nor a codec that margrpo knows.\n" in output


@pytest.mark.parametrize(("which", "recorded_as"), [((), "ref."), (("--weights", "model"), "policy.")])
def test_a_converted_checkpoint_holds_what_was_chosen_and_loads(
    which: tuple[str, ...], recorded_as: str, mar: Path, tmp_path: Path
):
    output = told("convert", mar, tmp_path / "out.safetensors", *which)
    assert f"holds      {'model' if which else 'model_ema'}: " in output
    assert oct((tmp_path / "out.safetensors").stat().st_mode) == oct(mar.stat().st_mode)
    assert f'use it as  policy.checkpoint = "{tmp_path / "out.safetensors"}"\n' in output
    tensors = modules.read(str(tmp_path / "out.safetensors"), "policy")
    theirs = recorded("margrpo_loss", recorded_as)
    assert torch.equal(tensors["head.net.cond_embed.weight"], theirs["diffloss.net.cond_embed.weight"])
    assert len(tensors) == len(theirs)
    assert "policy.mar" in told("inspect", tmp_path / "out.safetensors")


def test_a_converted_autoencoder_is_a_codec_without_the_loss_it_was_trained_with(kl16: Path, tmp_path: Path):
    told("convert", kl16, tmp_path / "out.safetensors")
    assert set(modules.read(str(tmp_path / "out.safetensors"), "codec")) == set(recorded("vae", "state_dict."))


def test_what_cannot_be_converted_is_refused_and_nothing_is_written_over(mar: Path, tmp_path: Path):
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"precious")
    torch.save({"conv.weight": torch.zeros(2, 3)}, tmp_path / "x.pth")
    for words, says in (
        ((mar, there), "exists already; add --force to overwrite it, or give another name"),
        ((mar, tmp_path / "out.pth"), "must be a file that ends in .safetensors, in a folder that exists"),
        ((SHIPPED, tmp_path / "out.safetensors"), "is in margrpo's own format already; use it as it is"),
        ((tmp_path / "x.pth", tmp_path / "out.safetensors"), "its names fit neither a policy nor a codec that margrpo"),
        ((tmp_path / "none.pth", tmp_path / "out.safetensors"), "there is no such file; give a path, package://"),
    ):
        done = run("weights", "convert", *words)
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ")
        assert says in done.stderr
    assert there.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.safetensors", "x.pth"]
    told("convert", mar, there, "--force")
    assert modules.read(str(there), "policy")
