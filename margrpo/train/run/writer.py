"""The writer of checkpoints, in the background and one at a time."""

from pathlib import Path
from threading import Thread
from time import perf_counter

from safetensors import SafetensorError

from margrpo.errors import RunError
from margrpo.train.run import checkpoint
from margrpo.train.run.checkpoint import Snapshot


class Writer:
    """Writes snapshots into a folder of checkpoints; an error is raised at the run's next call."""

    def __init__(self, checkpoints: Path, *, keep: int, keep_every: int | None):
        self.checkpoints, self.keep, self.keep_every = checkpoints, keep, keep_every
        self.thread: Thread | None = None
        self.failure: Exception | None = None
        self.took: float | None = None

    def begin(self, snapshot: Snapshot) -> None:
        """Start to write `snapshot`, once the snapshot before is written."""
        self.wait()
        self.thread = Thread(target=self.write, args=(snapshot,), name="checkpoint", daemon=True)
        self.thread.start()

    def write(self, snapshot: Snapshot) -> None:
        """Write a snapshot, and remove checkpoints that are no longer kept."""
        clock = perf_counter()
        try:
            snapshot.write(self.checkpoints)
            checkpoint.prune(self.checkpoints, keep=self.keep, keep_every=self.keep_every)
        except (OSError, SafetensorError) as error:
            self.failure = RunError(self.sentence(snapshot.step, error))
        except Exception as error:  # raised where the run next asks: in a thread nobody would hear of it
            self.failure = error
        self.took = perf_counter() - clock

    def sentence(self, step: int, error: Exception) -> str:
        """A message for a checkpoint that cannot be written, with the newest whole checkpoint."""
        said = getattr(error, "strerror", None) or str(error)
        left = checkpoint.all_in(self.checkpoints)
        whole = f"the newest that is whole is {left[-1].name}" if left else "there is none before it"
        place = checkpoint.place_of(self.checkpoints, step)
        return f"{place}: the checkpoint cannot be written ({said}); {whole}; free some space and start the run again"

    def wait(self) -> None:
        """Wait until the begun snapshot is written; `RunError` if that failed."""
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        self.check()

    def check(self) -> None:
        """Raise the error of the last snapshot, if it failed."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def figures(self) -> dict[str, float]:
        """The seconds that the last checkpoint took to write; reported once."""
        took, self.took = self.took, None
        return {} if took is None else {"seconds/checkpoint": took}
