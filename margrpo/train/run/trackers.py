"""The opened trackers of a run as one object; each tracker gets what it supports."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import OpenTracker, TakesHistograms, TakesImages
from margrpo.recipe.schema import Pretraining, Recipe


class Trackers:
    """The opened trackers of a run; a process that is not the first has none."""

    def __init__(self, opened: Sequence[OpenTracker] = (), *, rank: int = 0):
        self.opened, self.rank = opened, rank

    @classmethod
    def of(cls, recipe: Recipe | Pretraining, folder: Path, start: int, stack: ExitStack) -> "Trackers":
        """Open the recipe's trackers for a run that begins at step `start`; `stack` closes them."""
        opened: list[OpenTracker] = []
        for tracker in recipe.tracker:
            opened.append(tracker.open(folder, recipe.title or folder.name, recipe.run.steps, start))
            stack.callback(opened[-1].close)
        return cls(opened)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures of one step."""
        for track in self.opened:
            track.write(step, figures)

    def say(self, sentence: str) -> None:
        """Write a sentence for the person who watches the run."""
        for track in self.opened:
            track.say(sentence)

    def say_of_rank(self, sentence: str) -> None:
        """Log a sentence about this process alone: rank 0 to the trackers, the others to standard error."""
        if self.rank == 0:
            self.say(sentence)
        else:
            sys.stderr.write(f"process {self.rank}: {sentence}\n")

    def log_image(self, step: int, name: str, file: Path) -> None:
        """Log a picture that was written to `file`."""
        for track in self.opened:
            if isinstance(track, TakesImages):
                track.log_image(step, name, file)

    def log_histogram(self, step: int, distributions: Mapping[str, Float[Tensor, "_"]]) -> None:
        """Log the distributions of one step; empty and non-finite ones are left out."""
        for track in self.opened:
            if isinstance(track, TakesHistograms):
                for name, values in distributions.items():
                    if len(values) and values.isfinite().all():
                        track.log_histogram(step, name, values)
