import tomllib
from pathlib import Path

import pytest

from margrpo.cli.component_example import example
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.registry import Registry, registry
from tests.cli.command import process, run
from tests.plugin.distribution import install, offering


def test_the_list_names_every_component_under_its_kind() -> None:
    said = run("components", "list").stdout
    for kind in Registry().kinds.values():
        assert f"{kind.name}  {kind.meaning}" in said
    assert all(entry.name in said for entry in registry().entries())


def test_the_list_can_be_of_one_kind_and_marks_its_default() -> None:
    said = run("components", "list", "--kind", "weighting").stdout
    assert "(default)" in said.split("variance")[2]
    assert "selector" not in said


def test_an_unknown_kind_is_refused_with_a_suggestion() -> None:
    done = run("components", "list", "--kind", "selctor")
    assert done.exit_code == 2
    assert done.stderr == "error: there is no kind of component named 'selctor'; did you mean 'selector'?\n"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("selector.uncertan", "error: there is no selector named 'uncertan'; did you mean 'uncertain'?\n"),
        ("uncertain", "error: there is no component 'uncertain'; did you mean 'selector.uncertain'?\n"),
    ],
)
def test_an_unknown_component_is_refused_with_a_suggestion(word: str, says: str) -> None:
    done = run("components", "show", word)
    assert (done.exit_code, done.stderr) == (2, says)


def test_a_shown_setting_has_its_type_default_range_and_meaning() -> None:
    done = run("components", "show", "selector.uncertain")
    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    assert ["fraction", "number", "0.3"] in rows
    assert "The tokens of an image whose trajectories disagree most" in done.stdout
    assert "greater than 0" in done.stdout
    assert '[selector]\nuse = "uncertain"\nfraction = 0.3\n' in done.stdout


@pytest.mark.parametrize("entry", registry().entries(), ids=lambda entry: entry.id)
def test_every_component_is_shown_with_an_example_that_is_toml(entry: Entry) -> None:
    done = run("components", "show", entry.id)
    assert done.exit_code == 0
    text = example(entry, registry())
    assert done.stdout.endswith(text)
    assert f'use = "{entry.name}"' in text
    assert tomllib.loads(text)


def test_a_kind_that_only_stands_inside_others_is_shown_there() -> None:
    assert example(registry().find("reference", "periodic"), registry()).startswith("[penalty.reference]\n")


def test_a_broken_plugin_is_listed_with_its_cause_and_takes_nothing_down(tmp_path: Path) -> None:
    install(tmp_path, "good", offering("selector.mine"))
    install(tmp_path, "bad", "import nothing_of_this_name")
    done = process("-m", "margrpo", "components", "list", PYTHONPATH=f"{tmp_path}:.")
    assert done.returncode == 0, done.stderr
    assert "failed  bad of bad 1.0: ModuleNotFoundError: No module named 'nothing_of_this_name'" in done.stdout
    assert [line.split() for line in done.stdout.splitlines() if "from good" in line] == [["mine", "from", "good"]]
    assert "uncertain" in done.stdout
