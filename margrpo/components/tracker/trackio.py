"""A tracker for Trackio."""

import sys
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxtyping import Float

from margrpo.declare import component, setting
from margrpo.errors import PluginError
from margrpo.lazy import Tensor
from margrpo.run_folder import RunFolder


@component
class Trackio:
    """Figures, pictures, distributions and the resolved recipe in Trackio's database on this machine.

    `trackio show --project margrpo` shows them. Trackio keeps its own folder, by `TRACKIO_DIR`.
    """

    project: str = setting("margrpo", "the project")
    space: str = setting("", "Space on the Hugging Face Hub that shows the run too; empty: none")

    def require(self) -> None:
        """Raise `PluginError` if Trackio is missing."""
        if find_spec("trackio") is None:
            raise PluginError(
                "tracker trackio needs trackio, which is not installed; pip install trackio, or leave the tracker out"
            )

    def open(self, folder: Path, title: str, steps: int, start: int) -> "TrackioTrack":
        """Begin a run named after its folder, or continue it."""
        import trackio

        folder = Path(folder)
        file = RunFolder(folder).recipe
        with redirect_stdout(sys.stderr):  # it talks, and standard output is for results
            run = trackio.init(
                project=self.project,
                name=str(folder.absolute()).strip("/").replace("/", "-"),
                space_id=self.space or None,
                config=tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {},
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        return TrackioTrack(run, self.project)


class TrackioTrack:
    """A tracker for Trackio."""

    def __init__(self, run: Any, project: str):
        self._run, self._project = run, project

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Log the figures of a step."""
        self._run.log(dict(figures), step=step)

    def say(self, sentence: str) -> None:
        """Do nothing: the sentence is on the terminal."""

    def log_image(self, step: int, name: str, file: Path) -> None:
        """Log the picture in `file`."""
        import trackio

        self._run.log({f"pictures/{name}": trackio.Image(str(file))}, step=step)

    def log_histogram(self, step: int, name: str, values: Float[Tensor, "_"]) -> None:
        """Log a histogram of `values`."""
        import trackio

        self._run.log({f"distributions/{name}": trackio.Histogram(values.tolist())}, step=step)

    def close(self) -> None:
        """Wait until all is written."""
        with redirect_stdout(sys.stderr):
            self._run.finish()
