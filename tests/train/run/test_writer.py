from pathlib import Path
from threading import Event

import pytest

from margrpo.errors import RunError
from margrpo.train.run import checkpoint
from margrpo.train.run.checkpoint import Snapshot
from margrpo.train.run.writer import Writer


class Slow(Snapshot):
    """A snapshot whose writing waits for a sign."""

    go = Event()

    def fill(self, folder: Path) -> None:
        assert self.go.wait(10)
        super().fill(folder)


def test_the_run_goes_on_while_a_checkpoint_is_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path, keep=2, keep_every=None)
    writer.begin(Slow(5, {}, {}, {}))
    assert checkpoint.all_in(tmp_path) == []
    assert writer.figures() == {}
    Slow.go.set()
    writer.wait()
    assert [checkpoint.step_of(place) for place in checkpoint.all_in(tmp_path)] == [5]
    assert writer.figures()["seconds/checkpoint"] > 0
    assert writer.figures() == {}


def test_a_disk_without_space_is_said_where_the_run_next_asks_and_takes_nothing(tmp_path: Path) -> None:
    class Full(Snapshot):
        def fill(self, folder: Path) -> None:
            raise OSError(28, "No space left on device")

    writer = Writer(tmp_path, keep=1, keep_every=None)
    writer.begin(Snapshot(5, {}, {}, {}))
    writer.begin(Full(10, {}, {}, {}))
    with pytest.raises(RunError) as caught:
        writer.wait()
    assert str(caught.value) == (
        f"{tmp_path}/step-000010: the checkpoint cannot be written (No space left on device); the newest that is whole "
        "is step-000005; free some space and start the run again"
    )
    assert [place.name for place in tmp_path.iterdir()] == ["step-000005"]
    writer.check()


def test_whatever_goes_wrong_in_the_background_is_heard_of(tmp_path: Path) -> None:
    class Broken(Snapshot):
        def fill(self, folder: Path) -> None:
            raise KeyError("weights")

    writer = Writer(tmp_path, keep=1, keep_every=None)
    writer.begin(Broken(5, {}, {}, {}))
    with pytest.raises(KeyError, match="weights"):
        writer.wait()
