from pathlib import Path

import pytest

from tests.cli.command import run, setting
from tests.recipe.broken import BROKEN, Broken

NAMES = ("a key twice", "an unknown setting", "too few channels")
"""A text that is not TOML, a recipe of the wrong structure, and one whose parts do not fit."""
CASES = [case for case in BROKEN if case.name in NAMES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_training_with_a_broken_recipe_says_every_sentence_and_writes_nothing(
    case: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(case.text)
    monkeypatch.chdir(tmp_path)
    done = run("train", path, *setting(*case.sets), "--out", tmp_path / "run")
    assert done.stderr.splitlines() == [f"error: {path}: {sentence}" for sentence in case.sentences]
    assert (done.exit_code, done.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == [path]
