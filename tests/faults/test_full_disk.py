import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from margrpo.train.run import checkpoint, manifest

ROOT = Path(__file__).parents[2]
SCRIPT = """
mount -t tmpfs -o size={size}k tmpfs {disk} || exit 99
{python} -m margrpo train recipes/quickstart.toml --out {disk}/run {sets}; code=$?
cp -r {disk}/run {out}
exit $code
"""
TINY = (
    *("policy.weights=random", "codec.weights=random", "prompts.prompts=2", "prompts.group=2", "run.steps=8"),
    *("run.held_out=2", "run.eval_prompts=2", "run.eval_every=100", "run.save_every=1"),
)


def on_a_small_disk(size: int, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """The quickstart, tiny, into a disk of so many kB that is there for it alone."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, to mount a small disk")
    (tmp_path / "disk").mkdir()
    sets = " ".join(f"--set {each}" for each in TINY)
    places = {"disk": tmp_path / "disk", "out": tmp_path / "run", "python": sys.executable}
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", SCRIPT.format(size=size, sets=sets, **places)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode in (1, 99) and "traceback" not in done.stderr:
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    return done


def test_a_disk_that_fills_up_stops_the_run_with_a_sentence_and_spares_the_checkpoint_before(tmp_path: Path) -> None:
    # Policy, codec and optimizer take 14 MB: there is room for the first two checkpoints, and not for the third beside.
    done = on_a_small_disk(36_000, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "the checkpoint cannot be written (" in done.stderr
    assert "No space left on device" in done.stderr
    assert "the newest that is whole is step-000002; free some space and start the run again" in done.stderr
    *_, newest = checkpoint.all_in(tmp_path / "run" / "checkpoints")
    assert manifest.read(newest)["step"] == 2
    assert not list((tmp_path / "run" / "checkpoints").glob("*.partial"))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines][:3] == [0, 1, 2]


def test_a_disk_that_is_full_at_once_is_said_too(tmp_path: Path) -> None:
    done = on_a_small_disk(8, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
