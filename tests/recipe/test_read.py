from pathlib import Path

import pytest

from margrpo.errors import RecipeError
from margrpo.recipe.read import merge, read


def write(folder: Path, **texts: str) -> Path:
    """Write NAME.toml for each text, and return the path of the first."""
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder / f"{next(iter(texts))}.toml"


def refusal(path: Path, *sets: str) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(RecipeError) as caught:
        read(path, sets)
    return Path(caught.value.source).name, caught.value.problems


def test_a_recipe_takes_what_it_does_not_say_from_the_one_it_extends(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        child='extends = "parent.toml"\n[run]\nsteps = 5\n',
        parent="[run]\nsteps = 1\nseed = 3\n[codec]\nuse = 'patch'\n",
    )
    assert read(path) == {"run": {"steps": 5, "seed": 3}, "codec": {"use": "patch"}}


def test_extends_chains_and_is_relative_to_the_file_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(
        tmp_path / "base", parent='extends = "root.toml"\n[run]\nseed = 2\n', root="[run]\nseed = 1\neval_prompts = 9\n"
    )
    path = write(tmp_path, child='extends = "base/parent.toml"\n')
    assert read(path) == {"run": {"seed": 2, "eval_prompts": 9}}


def test_a_table_that_uses_another_component_replaces_the_whole_table(tmp_path: Path) -> None:
    parent = {"estimator": {"use": "multi_trajectory", "trajectories": 5}, "run": {"seed": 1}}
    assert merge(parent, {"estimator": {"use": "single"}}) == {"estimator": {"use": "single"}, "run": {"seed": 1}}


def test_a_nested_table_that_uses_another_component_is_replaced_alone() -> None:
    parent = {"estimator": {"use": "mte", "k": 5, "where": {"use": "uncertain", "fraction": 0.3}}}
    child = {"estimator": {"where": {"use": "random"}}}
    assert merge(parent, child) == {"estimator": {"use": "mte", "k": 5, "where": {"use": "random"}}}


def test_the_same_use_said_again_keeps_the_other_settings() -> None:
    parent = {"estimator": {"use": "mte", "k": 5}}
    assert merge(parent, {"estimator": {"use": "mte", "weight": 2}}) == {
        "estimator": {"use": "mte", "k": 5, "weight": 2}
    }


def test_a_default_use_left_out_counts_as_said(tmp_path: Path) -> None:
    texts = {"child": 'extends = "parent.toml"\n[sampler]\nuse = "ddpm"\n', "parent": "[sampler]\nsteps = 7\n"}
    assert read(write(tmp_path, **texts)) == {"sampler": {"use": "ddpm", "steps": 7}}
    texts["child"] = 'extends = "parent.toml"\n[sampler]\nuse = "ddim"\n'
    assert read(write(tmp_path, **texts)) == {"sampler": {"use": "ddim"}}


def test_an_array_replaces_the_array_of_the_parent() -> None:
    assert merge({"reward": [{"use": "a"}, {"use": "b"}]}, {"reward": [{"use": "c"}]}) == {"reward": [{"use": "c"}]}


def test_merging_leaves_both_tables_as_they_were() -> None:
    parent, child = {"run": {"seed": 1}}, {"run": {"steps": 2}}
    merge(parent, child)
    assert (parent, child) == ({"run": {"seed": 1}}, {"run": {"steps": 2}})


def test_a_cycle_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, a='extends = "b.toml"', b='extends = "c.toml"', c='extends = "b.toml"')
    assert refusal(path) == (
        "b.toml",
        ("extends itself: b.toml extends c.toml extends b.toml; remove one `extends`",),
    )


def test_a_missing_parent_is_refused_with_where_it_was_looked_for(tmp_path: Path) -> None:
    path = write(tmp_path, a='extends = "b.toml"')
    assert refusal(path) == ("a.toml", (f'extends = "b.toml" names no file; it is looked for in {tmp_path}',))


def test_bad_syntax_in_a_parent_is_told_of_the_parent(tmp_path: Path) -> None:
    path = write(tmp_path, a='extends = "b.toml"', b="[run]\nsteps ? 5\n")
    assert refusal(path) == (
        "b.toml",
        ("is not TOML: expected '=' after a key in a key/value pair (at line 2, column 7); correct it there",),
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.toml") == (
        "no.toml",
        ("cannot be read: No such file or directory; give the path of a recipe",),
    )


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path)[1] == ("cannot be read: Is a directory; give the path of a recipe",)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"a = '\xff'")
    assert refusal(tmp_path / "a.toml")[1] == ("is not text in UTF-8 (byte 5); save it as UTF-8",)


def test_every_bad_set_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, a="[run]\nsteps = 5\n")
    assert refusal(path, "x", "run.steps.y=2") == (
        "a.toml",
        ("--set 'x' must look like run.steps=50", "--set 'run.steps.y=2': run.steps is 5, which is not a table"),
    )
