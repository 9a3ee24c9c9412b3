import json
import subprocess
from pathlib import Path

import pytest

from margrpo.train.run import manifest
from margrpo.train.run.manifest import CorruptError


def fill(folder: Path) -> None:
    (folder / "weights").write_bytes(bytes(range(256)) * 4)
    (folder / "state.json").write_text('{"step": 3}')


@pytest.fixture
def place(tmp_path: Path) -> Path:
    manifest.write(tmp_path / "step-000003", fill, {"step": 3})
    return tmp_path / "step-000003"


def test_what_was_written_is_read_with_the_size_and_digest_of_each_file(place: Path) -> None:
    content = manifest.read(place)
    assert content["step"] == 3
    assert {name: file["bytes"] for name, file in content["files"].items()} == {"state.json": 11, "weights": 1024}
    assert not place.with_name("step-000003.partial").exists()


def test_sha256sum_knows_the_manifest(place: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", manifest.SEAL], cwd=place, capture_output=True, text=True, check=True
    )
    assert done.stdout == "manifest.json: OK\n"


NAMES = ("weights", "state.json", manifest.MANIFEST, manifest.SEAL)


@pytest.mark.parametrize("name", NAMES)
def test_every_bit_and_every_length_counts(name: str, place: Path) -> None:
    whole = (place / name).read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        for bit in (1, 32, 128):
            (place / name).write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            with pytest.raises(CorruptError, match="was changed"):
                manifest.read(place)
        (place / name).write_bytes(whole[:at])
        with pytest.raises(CorruptError, match="was changed"):
            manifest.read(place)
    (place / name).write_bytes(whole + b"\n")
    with pytest.raises(CorruptError, match="was changed"):
        manifest.read(place)
    (place / name).write_bytes(whole)
    assert manifest.read(place)["step"] == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_gone_is_named(name: str, place: Path) -> None:
    (place / name).unlink()
    with pytest.raises(CorruptError, match=rf"{place}: {name} cannot be read \(No such file or directory\)"):
        manifest.read(place)


def test_the_damage_is_told_in_bytes(place: Path) -> None:
    (place / "weights").write_bytes(b"short")
    with pytest.raises(CorruptError, match=r"weights was changed: it has 5 bytes instead of 1,024"):
        manifest.read(place)


def test_what_fails_midway_leaves_nothing_and_takes_nothing(place: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "weights").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        manifest.write(place.with_name("step-000004"), fail, {"step": 4})
    assert [path.name for path in place.parent.iterdir()] == ["step-000003"]
    assert manifest.read(place)["step"] == 3


def test_the_manifest_is_json_that_a_person_can_read(place: Path) -> None:
    assert json.loads((place / manifest.MANIFEST).read_text())["files"]["state.json"]["bytes"] == 11


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": 3}', "{", '{"files": {"weights": 3}}'])
def test_a_manifest_that_is_none_is_damage_though_its_seal_fits(text: str, place: Path) -> None:
    (place / manifest.MANIFEST).write_text(text)
    (place / manifest.SEAL).write_text(manifest.seal_of(place / manifest.MANIFEST))
    with pytest.raises(CorruptError, match=r"manifest.json is not a manifest|weights was changed"):
        manifest.read(place)
