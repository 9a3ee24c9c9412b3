from pathlib import Path

import pytest

from margrpo.errors import RunError
from margrpo.run_folder import newest_checkpoint, newest_weights


def checkpoint(folder: Path, name: str) -> Path:
    place = folder / "checkpoints" / name
    place.mkdir(parents=True)
    (place / "policy.safetensors").touch()
    return place


def test_the_newest_complete_checkpoint_is_found(tmp_path: Path) -> None:
    checkpoint(tmp_path, "step-000010")
    newest = checkpoint(tmp_path, "step-000020")
    checkpoint(tmp_path, "step-000030.partial")
    assert newest_checkpoint(tmp_path) == (20, newest)
    assert newest_weights(tmp_path) == newest / "policy.safetensors"


def test_final_weights_come_before_any_checkpoint(tmp_path: Path) -> None:
    checkpoint(tmp_path, "step-000010")
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "policy.safetensors").touch()
    assert newest_weights(tmp_path) == tmp_path / "final" / "policy.safetensors"


def test_a_run_without_weights_says_so(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    with pytest.raises(RunError, match="has made no checkpoint yet; give the recipe itself, or --weights FILE"):
        newest_weights(tmp_path)
