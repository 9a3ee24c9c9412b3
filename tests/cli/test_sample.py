from pathlib import Path

import pytest
from PIL import Image

from margrpo.nets import weights
from margrpo.recipe import load
from margrpo.testing.small import alive

from .command import QUICKSTART, RANDOM, run, setting


def drawn(*words: str | Path) -> bytes:
    done = run("sample", QUICKSTART, *setting(*RANDOM), *words)
    assert done.exit_code == 0, done.output
    return Path(words[-1]).read_bytes()


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


def test_weights_that_are_given_are_used_for_policy_and_codec(tmp_path: Path) -> None:
    recipe = load(QUICKSTART, RANDOM)
    file = tmp_path / "given.safetensors"
    weights.write(file, {"policy": alive(recipe.policy.build(kernel=recipe.kernel)), "codec": recipe.codec.build()})
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
        (["--weights", "nowhere.safetensors"], 'policy.weights = "nowhere.safetensors" names no file'),
        (["--weights", QUICKSTART], "is no whole safetensors file"),
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
