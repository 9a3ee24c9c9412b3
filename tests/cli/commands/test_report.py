from pathlib import Path

import pytest

from tests.cli.command import run
from tests.report import made


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.run(tmp_path_factory.mktemp("report"))


def test_a_report_is_written_into_the_run(finished: Path) -> None:
    done = run("report", finished)
    assert done.exit_code == 0, done.output
    text = (finished / "report.html").read_text()
    assert (finished / "report.html").as_uri() in done.stdout
    assert "backbone passes" in text  # the plan
    assert (finished / "report.html").stat().st_size < 3e6


def test_reports_that_cannot_be_are_refused(finished: Path, tmp_path: Path) -> None:
    assert (
        "is not the folder of a run: it has no recipe.toml; give the folder of a run" in run("report", tmp_path).stderr
    )
    assert "a report of several runs needs --out FILE" in run("report", finished, finished).stderr
    (tmp_path / "file").write_text("")
    done = run("report", finished, "--out", tmp_path / "file" / "x.html")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_a_recipe_that_cannot_be_read_any_more_is_no_reason_to_show_nothing(finished: Path, tmp_path: Path) -> None:
    recipe = (finished / "recipe.toml").read_text()
    (tmp_path / "recipe.toml").write_text(recipe.replace('use = "brightness"', 'use = "gone"'))
    assert run("report", tmp_path).exit_code == 0
    assert "The plan cannot be made here:" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("extends", ["", 'extends = "other.toml"\n'])
def test_a_report_runs_no_code_of_the_folder(extends: str, finished: Path, tmp_path: Path) -> None:
    recipe = (finished / "recipe.toml").read_text()
    hostile = recipe.replace('use = "brightness"', 'use = "mine.py:score"')
    assert hostile != recipe
    (tmp_path / "recipe.toml").write_text(extends + (recipe if extends else hostile))
    (tmp_path / "other.toml").write_text(hostile)
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    done = run("report", tmp_path)
    assert done.exit_code == 0, done.output
    assert "the recipe names a file whose code would run" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "ran").exists()


def test_several_runs_have_a_report_together(finished: Path, tmp_path: Path) -> None:
    done = run("report", finished, finished, "--out", tmp_path / "new" / "both.html")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "2 runs" in (tmp_path / "new" / "both.html").read_text()
