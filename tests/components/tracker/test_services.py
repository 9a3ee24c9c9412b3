"""What each service's own files hold after a run that stopped and went on."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from margrpo.components.tracker.jsonl import Jsonl
from margrpo.components.tracker.tensorboard import Tensorboard
from margrpo.components.tracker.trackio import Trackio
from margrpo.components.tracker.wandb import Wandb
from margrpo.contracts import TakesHistograms, TakesImages, Tracker
from margrpo.errors import PluginError
from margrpo.testing import small
from margrpo.train.loop import train


def shown(tracker: Tracker, folder: Path, *, start: int, end: int, value: float) -> None:
    """Some steps with a picture and a distribution each."""
    (folder / "recipe.toml").write_text('title = "a run"\n')
    track: Any = tracker.open(folder, "a run", 10, start)
    assert isinstance(track, TakesImages)
    assert isinstance(track, TakesHistograms)
    track.say("the run begins")
    for step in range(start, end):
        track.write(step, {"reward": value + step, "kl": math.nan})
        file = folder / "picture.png"
        Image.new("RGB", (8, 6), (255, 0, 0)).save(file)
        track.log_image(step, "held_out", file)
        track.log_histogram(step, "advantage", torch.linspace(-1, 1, 9))
    track.close()


def test_tensorboard_holds_figures_pictures_and_distributions_and_forgets_steps_done_again(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown(Tensorboard(), tmp_path, start=0, end=4, value=0.0)
    shown(Tensorboard(), tmp_path, start=2, end=5, value=10.0)
    (tmp_path / "anew").mkdir()
    shown(Tensorboard(), tmp_path / "anew", start=0, end=4, value=0.0)
    shown(Tensorboard(), tmp_path / "anew", start=0, end=2, value=10.0)
    anew = EventAccumulator(str(tmp_path / "anew" / "tensorboard"))
    anew.Reload()
    assert [(each.step, each.value) for each in anew.Scalars("reward")] == [(0, 10), (1, 11)]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(each.step, each.value) for each in events.Scalars("reward")] == [(0, 0), (1, 1), (2, 12), (3, 13), (4, 14)]
    assert all(math.isnan(each.value) for each in events.Scalars("kl"))
    picture = events.Images("held_out")[-1]
    assert (picture.step, picture.width, picture.height) == (4, 8, 6)
    (histogram,) = [each for each in events.Histograms("advantage") if each.step == 4]
    assert histogram.histogram_value.num == 9
    assert histogram.histogram_value.min == -1
    assert "title/text_summary" in events.Tags()["tensors"]


def test_wandb_keeps_a_run_for_later_and_goes_on_with_the_same_one(tmp_path: Path) -> None:
    tracker = Wandb(mode="offline", project="mine")
    shown(tracker, tmp_path, start=0, end=2, value=0.25)
    time.sleep(1.1)  # wandb calls its folders by the second
    shown(tracker, tmp_path, start=2, end=3, value=0.25)
    identity = (tmp_path / "wandb-id").read_text()
    kept = sorted((tmp_path / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb"))
    assert len(kept) == 2
    told = b"".join(file.read_bytes() for file in kept)
    for word in (b"mine", b"a run", b"reward", b"0.25", b"1.25", b"2.25", b"distributions", b"histogram"):
        assert word in told, word
    pictures = list((tmp_path / "wandb").glob("offline-run-*/files/media/images/pictures/*.png"))
    assert len(pictures) == 3
    assert np.asarray(Image.open(pictures[0])).shape == (6, 8, 3)


TRACKED = """
import json, sys
from pathlib import Path
from tests.components.tracker.test_services import shown
from margrpo.components.tracker.trackio import Trackio

folder = Path(sys.argv[1])
shown(Trackio(project="mine"), folder, start=0, end=3, value=0.0)
shown(Trackio(project="mine"), folder, start=2, end=4, value=10.0)
from trackio.sqlite_storage import SQLiteStorage
(run,) = SQLiteStorage.get_runs("mine")
print(json.dumps([run, SQLiteStorage.get_logs("mine", run)], default=str))
"""


def test_trackio_holds_figures_pictures_and_distributions(tmp_path: Path) -> None:
    pytest.importorskip("trackio", reason="trackio needs older packages than the rest: nox -s trackio")
    (tmp_path / "run").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TRACKED, str(tmp_path / "run")],
        env={**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run, lines = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    assert run.endswith("run")
    rewards = [(line["step"], line["reward"]) for line in lines if "reward" in line]
    assert rewards == [(0, 0), (1, 1), (2, 2), (2, 12), (3, 13)]
    assert any("pictures/held_out" in line for line in lines)
    assert any("distributions/advantage" in line for line in lines)


def test_a_run_tells_all_its_trackers_what_it_draws(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trackers = (Jsonl(), Tensorboard(), Wandb(mode="offline"))
    train(small.recipe(tmp_path, tracker=trackers, run=small.recipe(tmp_path).run), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert set(tags["scalars"]) == {name for line in lines for name in line} - {"step"}
    assert tags["histograms"] == ["reward", "advantage"]
    assert tags["images"] == ["held_out"]


@pytest.mark.parametrize(("tracker", "package"), [(Tensorboard, "tensorboard"), (Wandb, "wandb"), (Trackio, "trackio")])
def test_a_missing_package_is_told_before_anything_is_loaded(
    tracker: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{tracker.__module__}.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=f"tracker {package} needs {package}, which is not installed; pip install"):
        tracker().require()
