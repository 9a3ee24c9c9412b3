from pathlib import Path

import pytest
from PIL import Image

from margrpo.recipe import load
from margrpo.testing.small import alive
from margrpo.weights import modules
from tests.cli.command import QUICKSTART, RANDOM, run, setting


def drawn(*words: str | Path) -> bytes:
    done = run("sample", QUICKSTART, *setting(*RANDOM), *words)
    assert done.exit_code == 0, done.output
    return Path(words[-1]).read_bytes()


CLASSES = """
[policy]
weights = "random"
[policy.conditioner]
use = "label"
classes = 300
prefix = 4
[prompts]
use = "classes"
classes = [0, 1, 2, 207]
"""


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A recipe of a policy that draws 300 of ImageNet's classes."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "classes.toml").write_text(f"extends = {QUICKSTART!r}\n{CLASSES}")
    return folder / "classes.toml"


def pictures_of(file: Path, *, columns: int, rows: int) -> list[bytes]:
    """The pixels of the pictures of a grid without those of the captions, row by row."""
    with Image.open(file) as sheet:
        width, height = (sheet.width - 8) // columns, (sheet.height - 8) // rows
        corners = [(8 + column * width, 8 + row * height) for row in range(rows) for column in range(columns)]
        return [sheet.crop((x, y, x + 96, y + 96)).tobytes() for x, y in corners]


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def test_held_out_prompts_are_drawn_without_a_prompt(tmp_path: Path) -> None:
    drawn("--count", "3", "--out", tmp_path / "x.png")
    width, height = size_of(tmp_path / "x.png")
    assert width == 3 * (96 + 8) + 8
    assert height > 96


def test_each_prompt_gets_a_row_of_pictures(tmp_path: Path) -> None:
    drawn("--prompt", "a red circle", "--prompt", "two blue squares", "--count", "2", "--out", tmp_path / "x.png")
    width, height = size_of(tmp_path / "x.png")
    assert width == 2 * (96 + 8) + 8
    assert height > 2 * 96


def test_the_seed_decides_the_pictures(tmp_path: Path) -> None:
    one, again, other = (
        drawn("--seed", seed, "--prompt", "a red circle", "--count", "1", "--out", tmp_path / f"{place}.png")
        for place, seed in enumerate(("1", "1", "2"))
    )
    assert one == again
    assert one != other


def test_each_label_gets_a_row_whether_it_is_a_number_or_a_name(classes: Path, tmp_path: Path) -> None:
    words = ("--prompt", "5", "--label", "207", "--label", "Golden_Retriever", "--count", "2", "--seed", "3")
    done = run("sample", classes, *words, "--out", tmp_path / "x.png")
    assert done.exit_code == 0, done.output
    assert "prompts  2\n" in done.stdout
    shown = pictures_of(tmp_path / "x.png", columns=2, rows=3)
    assert len(set(shown)) == 6


def test_a_name_and_its_label_draw_the_same_pictures(classes: Path, tmp_path: Path) -> None:
    for name, label in (("a", "207"), ("b", "golden retriever")):
        assert (
            run("sample", classes, "--label", label, "--count", "1", "--out", tmp_path / f"{name}.png").exit_code == 0
        )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_pictures_do_not_depend_on_how_many_are_drawn_at_once(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("sample", classes, "--label", "1", "--count", "3", "--out")
    assert run(*words, tmp_path / "a.png").exit_code == 0
    monkeypatch.setattr("margrpo.cli.commands.sample.TOKENS_AT_ONCE", 32)
    assert run(*words, tmp_path / "b.png").exit_code == 0
    one, other = (pictures_of(tmp_path / name, columns=3, rows=1) for name in ("a.png", "b.png"))
    for ours, theirs in zip(one, other, strict=True):
        assert max(abs(x - y) for x, y in zip(ours, theirs, strict=True)) <= 1


def test_where_nobody_watches_nothing_is_said_of_the_progress(classes: Path, tmp_path: Path) -> None:
    done = run("sample", classes, "--label", "1", "--count", "1", "--out", tmp_path / "x.png")
    assert done.stderr == ""
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["prompts", "weights", "picture"]


def test_a_terminal_sees_how_many_ar_steps_are_taken(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("margrpo.cli.commands.sample.TOKENS_AT_ONCE", 16)
    done = run("sample", classes, "--label", "1", "--count", "2", "--out", tmp_path / "x.png")
    assert "drawing 2 images" in done.stderr
    assert "16/16" in done.stderr
    assert "AR steps" in done.stderr
    assert "drawing" not in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--label", "golden retreiver"],
            "class 'golden retreiver': no class has that name; did you mean 'golden retri",
        ),
        (["--label", "crane"], "class 'crane': 2 classes have that name; give the label, 134 (crane bird) or 517"),
        (["--label", "1000"], "class 1000: there are classes 0 to 999"),
        (["--prompt", "1000"], "class 1000: there are classes 0 to 999"),
        (["--label", "300"], "class 300 is not there: the policy draws classes, 0 to 299; give one with --label"),
        (
            ["--prompt", "a dog"],
            "--prompt 'a dog' does not name a class: the policy draws classes, 0 to 299; give one with",
        ),
        (
            ["--label", "tench", "--set", "prompts.use=shapes"],
            "--label tench: the recipe's prompts do not name classes",
        ),
        (["--label", "1", "--out", "folder.png"], "--out folder.png: cannot be written (Is a directory)"),
        (["--label", "1", "--out", "x" * 300 + ".png"], "cannot be written (File name too long)"),
    ],
)
def test_a_class_or_file_that_is_not_there_is_refused_before_weights_are_loaded(
    words: list[str], says: str, classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = run("sample", classes, "--set", "policy.weights=random", "--set", f"codec.checkpoint={classes}", *words)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_labels_mean_nothing_to_a_policy_that_draws_texts(tmp_path: Path) -> None:
    done = run("sample", QUICKSTART, *setting(*RANDOM), "--label", "3", "--out", tmp_path / "x.png")
    assert done.exit_code == 2
    assert "--label 3: the policy draws texts, not classes; give --prompt" in done.stderr


def test_a_label_is_enough_where_prompts_have_no_names_of_classes(classes: Path, tmp_path: Path) -> None:
    done = run("sample", classes, "--set", "prompts.use=shapes", "--label", "5", "--out", tmp_path / "x.png")
    assert done.exit_code == 0, done.output


def test_weights_that_are_given_are_used_for_policy_and_codec(tmp_path: Path) -> None:
    recipe = load(QUICKSTART, RANDOM)
    file = tmp_path / "given.safetensors"
    modules.write(
        file, {"policy": alive(recipe.policy.build(attention=recipe.attention)), "codec": recipe.codec.build()}
    )
    plain = drawn("--count", "1", "--out", tmp_path / "plain.png")
    done = run(
        "sample",
        QUICKSTART,
        "--set",
        "codec.weights=random",
        "--weights",
        file,
        "--count",
        "1",
        "--out",
        tmp_path / "x.png",
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "x.png").read_bytes() != plain


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--prompt", "a blue dog"], "does not know"),
        (["--weights", "nowhere.safetensors"], 'policy.checkpoint = "nowhere.safetensors" names no file'),
        (["--weights", QUICKSTART], "is not a file of weights"),
        (["--out", "sample.jpg"], "must be a file that ends in .png"),
        (["--out", "nowhere/sample.png"], "in a folder that exists"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_sentence(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sets = setting("codec.weights=random", *([] if "--weights" in words else RANDOM[:1]))
    done = run("sample", QUICKSTART, *sets, *words)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_run_without_a_checkpoint_has_nothing_to_draw_with(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    done = run("sample", tmp_path)
    assert done.exit_code == 2
    assert "has made no checkpoint yet" in done.stderr
