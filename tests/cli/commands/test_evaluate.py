import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import QUICKSTART, ROOT, TINY, run, setting

FEW = ("--with", "count=6")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that began with random weights."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    sets = setting(*TINY[2:], "optimizer.lr=0.01", "run.maps=0")
    assert run("train", QUICKSTART, *sets, "--out", folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def evaluated(tuned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("out") / "evaluation"
    done = run("evaluate", tuned, "--suite", "shapes", *FEW, "--images", "2", "--out", to)
    assert done.exit_code == 0, done.output
    assert "base" in done.stdout
    assert (to / "report.html").as_uri() in done.stdout
    return to


def test_base_and_tuned_are_scored_on_the_same_prompts(evaluated: Path) -> None:
    found = json.loads((evaluated / "evaluation.json").read_text())
    assert (found["suite"], found["prompts"], found["images"], found["policies"]) == ("shapes", 6, 2, ["base", "tuned"])
    overall = found["rewards"]["shapes"]["overall"]
    assert overall["difference"]["mean"] == pytest.approx(overall["tuned"]["mean"] - overall["base"]["mean"])
    assert overall["tuned"]["prompts"] == 6
    assert len(found["rewards"]["shapes"]) > 2
    lines = [json.loads(line) for line in (evaluated / "scores.jsonl").read_text().splitlines()]
    assert len(lines) == 24
    assert all((evaluated / line["image"]).is_file() for line in lines)
    mine = [line["score/shapes"] for line in lines if line["policy"] == "tuned"]
    assert sum(mine) / 12 == pytest.approx(overall["tuned"]["mean"])
    words = (evaluated / "evaluation.md").read_text()
    assert "| overall | 6 |" in words
    assert "data:image/webp" in (evaluated / "report.html").read_text()


def test_pictures_are_those_of_the_same_noise_each_time(tuned: Path, evaluated: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert run("evaluate", tuned, *FEW, "--images", "2", "--no-base", "--out", again).exit_code == 0
    for file in sorted((again / "images" / "tuned").iterdir()):
        assert file.read_bytes() == (evaluated / "images" / "tuned" / file.name).read_bytes()
    assert not (again / "images" / "base").exists()


def test_two_evaluations_are_compared_in_pairs(evaluated: Path, tmp_path: Path) -> None:
    done = run("evaluate", "--compare", evaluated, evaluated)
    assert done.exit_code == 0, done.output
    assert "+0.000" in done.stdout
    to = tmp_path / "compared"
    assert run("evaluate", "--compare", evaluated, evaluated, "--out", to).exit_code == 0
    assert json.loads((to / "evaluation.json").read_text())["policies"] == ["first", "second"]
    assert "data:image/webp" in (to / "report.html").read_text()


def test_a_recipe_alone_is_scored_without_a_comparison(tmp_path: Path) -> None:
    done = run("evaluate", QUICKSTART, *FEW, "--out", tmp_path / "x")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "x" / "evaluation.json").read_text())["policies"] == ["policy"]
    assert "difference" not in done.stdout


def test_any_rewards_over_a_file_of_prompts(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(
        '{"text": "a red circle", "category": "one"}\n{"text": "a cross", "category": "two"}'
    )
    words = (
        "--with",
        f'path="{tmp_path}/p.jsonl"',
        "--with",
        'reward=[{use="brightness"}, {use="jpeg_compressibility"}]',
    )
    done = run("evaluate", QUICKSTART, "--suite", "preference", *words, "--out", tmp_path / "x")
    assert done.exit_code == 0, done.output
    rewards = json.loads((tmp_path / "x" / "evaluation.json").read_text())["rewards"]
    assert list(rewards) == ["brightness", "jpeg_compressibility"]
    assert list(rewards["brightness"]) == ["overall", "one", "two"]


def test_a_folder_that_has_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine").write_text("")
    assert run("evaluate", QUICKSTART, *FEW, "--out", tmp_path / "x").exit_code == 0
    assert (tmp_path / "x-2" / "evaluation.json").is_file()
    assert [file.name for file in (tmp_path / "x").iterdir()] == ["mine"]


def test_what_cannot_be_evaluated_is_refused(evaluated: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words, said in (
        ((), "give a recipe or the folder of a run, or two evaluations with --compare A B"),
        ((QUICKSTART, "--suite", "shpes"), "did you mean 'shapes'?"),
        ((QUICKSTART, "--with", "cuont=3"), "did you mean 'count'?"),
        ((QUICKSTART, "--suite", "preference"), "reward is required"),
        ((tmp_path,), "recipe.toml"),
        ((ROOT / "recipes" / "digits.toml", *FEW, "--out", tmp_path / "y"), "give prompts a label"),
        ((QUICKSTART, "--out", tmp_path / "file" / "x"), "is not a folder that can be written; choose another --out"),
        (
            ("--compare", evaluated, tmp_path),
            "does not hold a whole evaluation; give a folder that `margrpo evaluate --out` wrote",
        ),
    ):
        done = run("evaluate", *words)
        assert done.exit_code == 2, words
        assert said in done.stderr
    assert not (tmp_path / "y").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "evaluation.json").write_bytes((evaluated / "evaluation.json").read_bytes())
    text = (evaluated / "scores.jsonl").read_text()
    (other / "scores.jsonl").write_text(text.replace('"prompt": "a ', '"prompt": "one '))
    assert "are not of equal prompts" in run("evaluate", "--compare", evaluated, other).stderr
    (other / "scores.jsonl").write_text(text)
    found = json.loads((evaluated / "evaluation.json").read_text())
    (other / "evaluation.json").write_text(json.dumps(found | {"images": found["images"] * 2}))
    (other / "scores.jsonl").write_text("".join(line * 2 for line in text.splitlines(keepends=True)))
    assert "images a prompt; evaluate one again" in run("evaluate", "--compare", evaluated, other).stderr
    (other / "scores.jsonl").write_text("".join(text.splitlines(keepends=True)[:-1]))
    assert "does not hold a whole evaluation" in run("evaluate", "--compare", evaluated, other).stderr


def test_tuned_weights_that_cannot_be_opened_are_told_before_anything_is_drawn(tuned: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tuned, tmp_path / "copy")
    for file in copy.rglob("*.safetensors"):
        if "map" not in str(file):
            file.write_bytes(file.read_bytes()[:1000])
    done = run("evaluate", copy, *FEW, "--out", tmp_path / "out")
    assert done.exit_code == 2, done.output
    assert not (tmp_path / "out").exists()
