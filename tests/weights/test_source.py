import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from margrpo.errors import WeightsError
from margrpo.weights import source as weight_source
from tests.weights.hub import CONTENT, hub

ASK = """
import json, sys, time
from margrpo.weights import source as weight_source
from margrpo.errors import WeightsError

time.sleep = lambda seconds: None  # huggingface_hub asks a Hub that is away six times, for 23 s
told = {}
for source in sys.argv[1:]:
    before = weight_source.obstacle(source), weight_source.located(source) is not None
    try:
        said = weight_source.fetched(source).read_text()
    except WeightsError as error:
        said = str(error)
    told[source] = [*before, said, weight_source.located(source) is not None]
told["torch"] = "torch" in sys.modules
print(json.dumps(told))
"""
FILE = "hf://owner/name/folder/model.bin"
SHIPPED = "package://margrpo.worlds.shapes/base.safetensors"


def asked(sources: list[str], cache: Path, **environment: str) -> dict[str, list[object]]:
    """What a process of its own finds, whose Hub keeps its cache in a folder of ours: obstacle, was it here, text, is
    it here now."""
    environment = {**os.environ, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *sources], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_file_on_the_hub_is_downloaded_once_and_then_found_without_the_hub(tmp_path: Path):
    sources = [FILE, f"{FILE}@v1"]
    with hub() as address:
        first = asked(sources, tmp_path, HF_ENDPOINT=address)
    assert first == {**{source: ["", False, CONTENT.decode(), True] for source in sources}, "torch": False}
    again = asked(sources, tmp_path, HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert again == {**{source: ["", True, CONTENT.decode(), True] for source in sources}, "torch": False}


def test_what_the_hub_refuses_is_said_with_what_to_do(tmp_path: Path):
    said = {
        "hf://owner/name/other.bin": "owner/name has no file other.bin; see huggingface.co/owner/name/tree/main",
        f"{FILE}@v9": "owner/name has no revision v9; correct what stands after @",
        "hf://owner/none/x.bin": "there is no repository owner/none, or it is private; correct the name, or run `hf",
        "hf://owner/gated/x.bin": "owner/gated asks for permission; get it at huggingface.co/owner/gated and run `hf",
    }
    with hub() as address:
        told = asked(list(said), tmp_path, HF_ENDPOINT=address)
    for source, sentence in said.items():
        obstacle, was_here, found, is_here = told[source]
        assert (obstacle, was_here, is_here) == ("", False, False)
        assert str(found).startswith(f"{source}: {sentence}")


def test_offline_a_file_that_is_not_in_the_cache_is_an_obstacle_and_unreachable_it_is_an_error(tmp_path: Path):
    offline = "is not in the Hub's cache, and HF_HUB_OFFLINE is set; unset it to download the file, or give a path to a"
    obstacle, _, found, _ = asked([FILE], tmp_path, HF_HUB_OFFLINE="1")[FILE]
    assert str(obstacle).startswith(offline)
    assert str(found).startswith(f"{FILE}: {offline}")
    obstacle, _, found, _ = asked([FILE], tmp_path, HF_ENDPOINT="http://127.0.0.1:9")[FILE]
    assert obstacle == ""
    assert found == (
        f"{FILE}: is not in the Hub's cache, and the Hub cannot be reached; connect, or give a path to a copy"
    )


@pytest.mark.parametrize("source", ["hf://owner/name", "hf://owner/name/", "hf://owner/name/x.bin@", "hf://x.bin"])
def test_a_source_that_names_no_file_on_the_hub_is_refused(source: str):
    assert weight_source.obstacle(source).startswith("names no file on the Hub; write hf://owner/name/FILE")
    with pytest.raises(WeightsError, match="names no file on the Hub"):
        weight_source.fetched(source)


def test_without_huggingface_hub_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", None)
    said = 'needs huggingface_hub, which is not installed; pip install "margrpo[mar]", or give a path to a copy'
    assert weight_source.obstacle(FILE) == said
    with pytest.raises(WeightsError) as caught:
        weight_source.fetched(FILE)
    assert str(caught.value) == f"{FILE}: {said}"


def test_a_path_and_a_file_of_a_package_are_here_or_not(tmp_path: Path):
    (tmp_path / "a.bin").write_bytes(b"1")
    for source in (str(tmp_path / "a.bin"), SHIPPED):
        path = weight_source.located(source)
        assert path is not None
        assert path == weight_source.fetched(source)
        assert weight_source.obstacle(source) == ""
    for source, obstacle, error in (
        (str(tmp_path), "is a folder; give the file in it", "is a folder; give the file in it"),
        (str(tmp_path / "b.bin"), "names no file", "there is no such file; give a path, package://"),
        ("package://margrpo/b.bin", "names no file", "no installed package has this file; install the package"),
        ("package://no_such/b.bin", "names no file", "no installed package has this file; install the package"),
        ("package:///b.bin", "names no file", "no installed package has this file"),
        ("x" * 5000, "names no file", "there is no such file"),
        ("", "names no file", "there is no such file"),
    ):
        assert weight_source.located(source) is None
        assert weight_source.obstacle(source) == obstacle
        with pytest.raises(WeightsError) as caught:
            weight_source.fetched(source)
        assert str(caught.value).startswith(f"{source}: {error}")


def test_a_digest_is_checked_in_either_case_and_an_empty_one_is_not(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"1" * 100_000)
    right = hashlib.sha256(b"1" * 100_000).hexdigest()
    for given in (right, right.upper(), ""):
        weight_source.verify(path, given, "a.bin")
    with pytest.raises(WeightsError) as caught:
        weight_source.verify(path, "0" * 64, "a.bin")
    assert str(caught.value) == (
        f"a.bin: its SHA-256 is {right} where sha256 = {'0' * 64}; fetch the file again, or correct sha256"
    )
    assert all(map(weight_source.digest.holds, (right, right.upper(), "")))
    assert weight_source.known_form.holds(FILE)
    assert weight_source.known_form.holds("any/path@all")
    assert not weight_source.known_form.holds("hf://owner/name")
    assert not any(map(weight_source.digest.holds, ("0", right + "0", "g" * 64)))
