from pathlib import Path

import pytest

from margrpo.errors import RunError
from margrpo.report.past import Past


def begun(folder: Path, metrics: str = "") -> Past:
    (folder / "recipe.toml").write_text("[run]\nsteps = 5\n")
    (folder / "metrics.jsonl").write_text(metrics)
    return Past.of(folder)


def test_figures_are_series_over_steps_and_what_was_not_finite_is_left_out(tmp_path: Path) -> None:
    run = begun(tmp_path, '{"step": 0, "a": 1}\n{"step": 1, "a": null, "b": 2}\n{"step": 2, "a": 3}\n')
    assert run.series("a") == ([0, 2], [1.0, 3.0])
    assert run.series("c") == ([], [])
    assert run.names == ["a", "b"]
    assert (run.done, run.steps) == (3, 5)


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    assert begun(tmp_path, '{"step": 0, "a": 1}\n{"step": 1, "a"').done == 1


def test_a_run_that_has_just_begun_has_nothing_yet(tmp_path: Path) -> None:
    run = begun(tmp_path)
    assert (run.done, run.summary, run.log, run.validations, run.maps, run.before_after) == (0, {}, (), {}, {}, None)
    assert run.title == tmp_path.name


def test_pictures_are_found_by_their_steps(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("step-000010.png", "step-000002.png", "maps-000010.png", "step-x.png", "before_after.png"):
        (tmp_path / "images" / name).write_bytes(b"")
    run = begun(tmp_path)
    assert list(run.validations) == [2, 10]
    assert run.before_after == tmp_path / "images" / "before_after.png"


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"is not the folder of a run: it has no recipe\.toml; give the folder of a run$"
    ):
        Past.of(tmp_path / "nowhere")
    (tmp_path / "recipe.toml").write_text("x = ")
    with pytest.raises(RunError, match=r"recipe\.toml: was changed after it was written \("):
        Past.of(tmp_path)


def test_runs_whose_folders_have_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    places = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "c"]
    for place in places:
        place.mkdir(parents=True)
        begun(place)
    assert [run.name for run in Past.all(places)] == [str(places[0]), str(places[1]), "c"]


def test_a_folder_of_an_earlier_margrpo_is_refused(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "said.jsonl").touch()
    with pytest.raises(RunError, match="was written by an earlier margrpo, whose run folders this one does not read"):
        Past.of(tmp_path)
