from pathlib import Path

import pytest

from margrpo.distributed.single import SingleProcess
from margrpo.errors import RunError
from margrpo.train.run import checkpoint, manifest, resume
from margrpo.train.run.versions import versions


def made(run: Path, *steps: int) -> list[Path]:
    places = [checkpoint.place_of(run / "checkpoints", step) for step in steps]
    for step, place in zip(steps, places, strict=True):
        facts = {"format": checkpoint.FORMAT, "step": step, "versions": versions()}
        manifest.write(place, lambda inside: (inside / "weights").write_bytes(b"x" * 9), facts)  # type: ignore[arg-type]
    return places


def test_a_run_begins_at_its_newest_checkpoint_or_at_the_beginning(tmp_path: Path) -> None:
    assert resume.start_of(tmp_path, SingleProcess()).notes == ()
    (tmp_path / "recipe.toml").touch()
    start = resume.start_of(tmp_path, SingleProcess())
    assert (start.step, start.place) == (0, None)
    assert start.notes == ("there is no checkpoint to go on from: the run begins anew",)
    *_, newest = made(tmp_path, 5, 10)
    start = resume.start_of(tmp_path, SingleProcess())
    assert (start.step, start.place, start.notes) == (10, newest, ())


def test_a_damaged_checkpoint_is_named_and_set_aside_and_the_one_before_is_used(tmp_path: Path) -> None:
    before, newest = made(tmp_path, 5, 10)
    (newest / "weights").write_bytes(b"xxx")
    start = resume.start_of(tmp_path, SingleProcess())
    assert (start.step, start.place) == (5, before)
    assert start.notes == (
        f"{newest}: weights was changed: it has 3 bytes instead of 9; it was set aside as step-000010.damaged",
    )
    assert sorted(place.name for place in (tmp_path / "checkpoints").iterdir()) == [
        "step-000005",
        "step-000010.damaged",
    ]
    (again,) = made(tmp_path, 10)
    (again / "weights").unlink()
    assert "step-000010.damaged-2" in resume.start_of(tmp_path, SingleProcess()).notes[0]


def test_what_was_half_written_when_the_run_was_killed_is_removed(tmp_path: Path) -> None:
    made(tmp_path, 5)
    half = tmp_path / "checkpoints" / "step-000010.partial"
    half.mkdir()
    assert resume.start_of(tmp_path, SingleProcess()).step == 5
    assert not half.exists()


def test_other_versions_are_told(tmp_path: Path) -> None:
    written = {"versions": {**versions(), "torch": "1.0"}}
    (said,) = resume.other_versions(written)
    assert said.startswith("other versions than before: torch 1.0, now ")


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [((), False), (("run.steps",), False), (("run", "reward"), True), (("reward.0.weight",), False)],
)
def test_a_change_is_allowed_by_its_key_or_its_table(allowed: tuple[str, ...], passes: bool, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("title = 'a'\n[run]\nsteps = 3\n[[reward]]\nuse = 'x'\nweight = 1.0\n")
    after = {"title": "b", "run": {"steps": 4}, "reward": [{"use": "x", "weight": 2.0}]}
    if passes:
        resume.check_same(tmp_path, after, allowed)
        return
    with pytest.raises(RunError, match=r"was begun with another recipe: .*; go on with its own \(margrpo resume "):
        resume.check_same(tmp_path, after, allowed)


def test_keys_that_decide_no_number_may_change_without_a_word(tmp_path: Path) -> None:
    free = ("save_every", "keep_last", "keep_every", "maps", "signal_every")
    (tmp_path / "recipe.toml").write_text("".join(["[run]\n", *(f"{key} = 1\n" for key in free)]))
    run = dict.fromkeys(free, 2) | {"signal_estimators": [{"use": "mte"}]}
    resume.check_same(tmp_path, {"notes": "b", "tracker": [{"use": "jsonl"}], "canary": [{"use": "x"}], "run": run}, ())


def test_a_recipe_that_was_spoiled_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(
        RunError, match=r"recipe.toml: was changed after it was written .*; copy it anew from the manifest"
    ):
        resume.check_same(tmp_path, {}, ())


def test_checkpoints_of_another_format_are_not_read(tmp_path: Path) -> None:
    place = checkpoint.place_of(tmp_path / "checkpoints", 3)
    manifest.write(place, lambda inside: None, {"format": 1, "step": 3, "versions": {}})
    with pytest.raises(
        RunError, match=r"checkpoints have format version 1, and this margrpo reads version 2 only; go on"
    ):
        resume.start_of(tmp_path, SingleProcess())
    assert place.exists()
