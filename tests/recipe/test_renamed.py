from pathlib import Path

import pytest

from margrpo.doctor.recipe import RecipeUnderTest, checks
from margrpo.errors import RecipeError
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe import load
from margrpo.recipe.renamed import RENAMED
from margrpo.recipe.schema import Recipe, Run
from margrpo.recipe.structure import settings_of
from tests.cli.command import ROOT
from tests.recipe.broken import GOOD

OLD = '[run]\nwatch = 8\nkeep = 3\n[kernel]\nuse = "sdpa"\n'
SENTENCES = {"kernel is now attention", "run.watch is now run.eval_prompts", "run.keep is now run.keep_last"}


def problems(path: Path, *sets: str) -> set[str]:
    with pytest.raises(RecipeError) as caught:
        load(path, sets)
    return set(caught.value.problems)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("old", [old for old in RENAMED if not old.startswith("replay.")])
def test_an_old_key_set_on_the_command_line_names_the_new_one(old: str, good: Path) -> None:
    assert problems(good, f"{old}=1") == {f"{old} is now {RENAMED[old]}"}


@pytest.mark.parametrize(("old", "new"), [("floor", "min_variance"), ("mask", "mask_at")])
def test_an_old_setting_of_a_component_names_the_new_one(old: str, new: str, good: Path) -> None:
    assert problems(good, "replay.use=released", f"replay.{old}=1") == {f"replay.{old} is now replay.{new}"}


def test_another_component_is_free_to_use_the_word(good: Path) -> None:
    assert problems(good, "replay.floor=1") == {"replay.floor is not a setting of replay.guided; there are none"}


def test_a_component_in_an_old_table_names_the_new_table(good: Path) -> None:
    assert problems(good, "kernel.use=sdpa") == problems(good, "kernel=sdpa") == {"kernel is now attention"}


def test_all_old_keys_of_a_file_are_named_at_once_beside_other_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text(OLD + GOOD.replace("[run]\nsteps = 20\n", ""))
    assert problems(path, "run.seed=-1") == {*SENTENCES, "run.seed = -1 must be 0 or more"}


def test_old_keys_of_a_parent_are_named(good: Path, tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(OLD)
    child = tmp_path / "child.toml"
    child.write_text('extends = "parent.toml"\n' + GOOD)
    assert problems(child) == SENTENCES


def test_a_pre_training_recipe_names_the_new_keys_too() -> None:
    path = ROOT / "recipes" / "shapes_base.toml"
    found = problems(path, "run.watch_every=5", "kernel=sdpa")
    assert found == {"run.watch_every is now run.eval_every", "kernel is now attention"}


def test_doctor_names_the_new_key(good: Path, tmp_path: Path) -> None:
    under_test = RecipeUnderTest(lambda: load(good, ["run.drawn=2"]), good, tmp_path)
    (finding,) = checks(under_test)[0].findings()
    assert finding.status == "fail"
    assert "run.drawn is now run.rollout_batch" in finding.said


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_the_new_key_exists_and_the_old_one_does_not(old: str, new: str) -> None:
    owner = settings_of(Recipe)
    if old.startswith("run."):
        owner = settings_of(Run)
    if old.startswith("replay."):
        owner = settings_of(Registry().load(Registry().find("replay", "released")))
    assert new.rpartition(".")[2] in owner
    assert old.rpartition(".")[2] not in owner
    assert old not in registry().kinds
