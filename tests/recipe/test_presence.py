import importlib.util
import re
import sys
from pathlib import Path

import pytest

from margrpo.errors import RecipeError
from margrpo.recipe import load
from margrpo.recipe.presence import check_presence, not_here
from tests.cli.command import ROOT, process, setting

MAR = ROOT / "recipes" / "mar_large.toml"
RANDOM = ("policy.weights=random", "codec.weights=random")


def problems(*sets: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        check_presence(load(MAR, sets), source="mar_large.toml")
    return caught.value.problems


def test_without_checkpoints_each_is_named_with_where_it_is_published_and_how_to_do_without():
    policy, codec, smoke = problems()
    assert policy.startswith(
        'policy.checkpoint = "pretrained_models/mar/mar_large/checkpoint-last.pth" names no file; '
        "MAR's large model is published at https://github.com/LTH14/mar"
    )
    assert codec.startswith('codec.checkpoint = "pretrained_models/vae/kl16.ckpt" names no file; KL-16 is published at')
    assert smoke == (
        "to see the path work with random weights, add --set policy.weights=random --set codec.weights=random "
        "--set run.steps=1 --set run.eval_prompts=2 --set run.held_out=2 --set prompts.prompts=2 --set prompts.group=2 "
        "--set unmasking.steps=4 --set sampler.steps=10 --set timesteps.ar_steps=2 --set timesteps.transitions=3"
    )


def test_what_the_answer_proposes_lets_the_recipe_through():
    smoke = problems()[-1]
    recipe = load(MAR, re.findall(r"--set (\S+)", smoke))
    check_presence(recipe)
    assert not_here(recipe) == []
    assert (recipe.run.steps, recipe.unmasking.steps, recipe.timesteps.transitions) == (1, 4, 3)


def test_weights_of_other_sizes_are_published_nowhere_so_a_source_is_asked_for(tmp_path: Path):
    given = ("policy.width=512", "codec.weights=random")
    said, smoke = problems(*given, f"policy.checkpoint={tmp_path / 'x.pth'}")
    assert said == (
        f'policy.checkpoint = "{tmp_path / "x.pth"}" names no file; give a path, package://package/FILE or '
        "hf://owner/name/FILE[@revision]"
    )
    assert smoke.startswith("to see the path work with random weights, add --set policy.weights=random --set run.st")
    folder, _ = problems(*given, f"policy.checkpoint={tmp_path}")
    assert folder.startswith(f'policy.checkpoint = "{tmp_path}" is a folder; give the file in it')


def test_of_a_file_on_the_hub_what_keeps_it_is_said_and_nothing_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", None)
    said, _ = problems("codec.weights=random", "policy.checkpoint=hf://owner/name/x.bin")
    assert said == (
        'policy.checkpoint = "hf://owner/name/x.bin" needs huggingface_hub, which is not installed; '
        'pip install "margrpo[mar]", or give a path to a copy'
    )


def test_files_that_are_here_are_present(tmp_path: Path):
    (tmp_path / "x.pth").touch()
    recipe = load(MAR, [f"policy.checkpoint={tmp_path / 'x.pth'}", "codec.weights=random"])
    check_presence(recipe)
    assert not_here(recipe) == []


def test_a_package_that_the_codec_needs_is_named_before_weights_are_loaded(monkeypatch: pytest.MonkeyPatch):
    recipe = load(MAR, RANDOM)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r'needs diffusers, which is not installed; pip install "margrpo\[mar\]"'):
        check_presence(recipe)


def test_the_command_answers_before_torch_is_imported_and_leaves_nothing(tmp_path: Path):
    # torch's import would show in the list of imports that -X importtime prints.
    words = ["train", str(MAR), "--out", str(tmp_path / "run"), *setting("run.device=cpu")]
    done = process("-X", "importtime", "-m", "margrpo", *words)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert sum(line.startswith("error: ") for line in said) == 3
    assert "| torch\n" not in done.stderr
    assert not (tmp_path / "run").exists()
