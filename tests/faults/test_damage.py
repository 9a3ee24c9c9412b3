import json
import os
import pickle
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from margrpo.errors import MargrpoError
from margrpo.train.loop import train
from margrpo.train.run import checkpoint, manifest, resume
from margrpo.train.run.manifest import CorruptError
from tests.faults import runs
from tests.faults.count import cases


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    train(runs.recipe(folder, steps=2), folder / "run")
    return folder


def test_every_file_of_a_checkpoint_in_turn_cut_short_or_with_a_bit_flipped_is_caught_and_none_is_loaded(
    trained: Path, tmp_path: Path
) -> None:
    (_, newest), chance = checkpoint.all_in(trained / "run" / "checkpoints"), random.Random(0)
    files, tried = sorted(path.name for path in newest.iterdir()), 0
    assert {"manifest.json", "manifest.sha256", "policy.safetensors", "reference.safetensors"} <= set(files)
    for name in files:
        whole = (newest / name).read_bytes()
        cuts = [whole[:at] for at in {0, len(whole) // 2, len(whole) - 1}]
        flips = []
        for _ in range(cases(4, 60)):
            at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
            flips.append(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        for spoiled in (*cuts, *flips, b"\0" * len(whole), random.Random(1).randbytes(len(whole))):
            run = tmp_path / f"run-{tried}"
            shutil.copytree(trained / "run", run)
            place = checkpoint.place_of(run / "checkpoints", 2)
            (place / name).write_bytes(spoiled)
            with pytest.raises(CorruptError):
                manifest.read(place)
            said: list[str] = []
            found = resume.newest_sound(run / "checkpoints", said.append)
            assert found is not None
            assert found["step"] == 1
            assert len(said) == 1
            assert not place.exists()
            tried += 1
            shutil.rmtree(run)
    assert tried >= len(files) * 9


def test_after_damage_the_run_ends_as_if_there_had_been_none(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    (run / "summary.json").unlink()
    (checkpoint.place_of(run / "checkpoints", 2) / "state.safetensors").write_bytes(b"no tensors")
    train(runs.recipe(trained, steps=2), run)
    assert runs.differences(trained / "run", run) == []


def test_where_every_checkpoint_is_damaged_the_run_begins_anew_and_ends_the_same(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    (run / "summary.json").unlink()
    for place in checkpoint.all_in(run / "checkpoints"):
        (place / "manifest.json").write_text("{}")
    train(runs.recipe(trained, steps=2), run)
    assert runs.differences(trained / "run", run) == []


class Code:
    """What a stranger might put into a file: a pickle that runs a command as it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {PROOF}",)


PROOF = Path(tempfile.gettempdir()) / "margrpo-ran-the-code-of-a-checkpoint"


@pytest.mark.parametrize("name", ["policy.safetensors", "reference.safetensors", "state.safetensors", "state.json"])
def test_code_in_a_checkpoint_does_not_run_even_where_the_digests_fit(name: str, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    (run / "summary.json").unlink()
    place = checkpoint.place_of(run / "checkpoints", 2)
    content = manifest.read(place)
    (place / name).write_bytes(pickle.dumps(Code()))
    content["files"][name] = manifest.fingerprint(place / name)
    (place / manifest.MANIFEST).write_text(json.dumps(content))
    (place / manifest.SEAL).write_text(manifest.seal_of(place / manifest.MANIFEST))
    PROOF.unlink(missing_ok=True)
    with pytest.raises(MargrpoError, match=name.partition(".")[0]):
        train(runs.recipe(trained, steps=2), run)
    assert not PROOF.exists()
