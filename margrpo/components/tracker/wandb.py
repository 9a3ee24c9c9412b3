"""A tracker for Weights & Biases."""

import tomllib
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float

from margrpo.declare import component, setting
from margrpo.errors import PluginError, RunError
from margrpo.lazy import Tensor
from margrpo.run_folder import RunFolder

ID = "wandb-id"
"""The file in the run folder that holds the run's id at Weights & Biases, so that a resumed run keeps it."""


@component
class Wandb:
    """Figures, pictures, distributions and the resolved recipe on Weights & Biases, or kept in the run folder for it.

    `wandb sync RUN/wandb/offline-run-*` sends what was kept. A step that is repeated after a restart appears twice.
    """

    project: str = setting("margrpo", "the project")
    entity: str = setting("", "user or team; empty: the account's own")
    mode: Literal["online", "offline"] = setting("online", "whether figures are sent, or kept in the run folder")

    def require(self) -> None:
        """Raise `PluginError` if wandb is missing."""
        if find_spec("wandb") is None:
            raise PluginError(
                "tracker wandb needs wandb, which is not installed; pip install wandb, or leave the tracker out"
            )

    def open(self, folder: Path, title: str, steps: int, start: int) -> "WandbTrack":
        """Begin the run, or continue it."""
        import wandb

        folder = Path(folder)
        settings = wandb.Settings(console="off", silent=True, git_root=None, init_timeout=60)
        try:
            run = wandb.init(
                project=self.project,
                entity=self.entity or None,
                name=title,
                dir=str(folder),
                mode=self.mode,
                id=identity(folder),
                resume="allow",
                config=recipe_in(folder),
                settings=settings,
            )
        except (wandb.Error, OSError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise RunError(
                f'tracker wandb: the run cannot begin ({said}); log in by `wandb login`, or set mode = "offline"'
            ) from None
        run.define_metric("*", step_metric="step")
        return WandbTrack(run)


class WandbTrack:
    """A tracker for Weights & Biases."""

    def __init__(self, run: Any):
        self._run = run

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Log the figures of a step by its number."""
        self._run.log({"step": step, **figures})

    def say(self, sentence: str) -> None:
        """Do nothing: the sentence is on the terminal."""

    def log_image(self, step: int, name: str, file: Path) -> None:
        """Log the picture in `file`."""
        import wandb

        self._run.log({"step": step, f"pictures/{name}": wandb.Image(str(file))})

    def log_histogram(self, step: int, name: str, values: Float[Tensor, "_"]) -> None:
        """Log a histogram of `values`."""
        import wandb

        self._run.log({"step": step, f"distributions/{name}": wandb.Histogram(values.tolist())})

    def close(self) -> None:
        """Wait until all figures are sent or stored."""
        self._run.finish()


def identity(folder: Path) -> str:
    """The run's id in the run folder, or a new id that is stored there."""
    file = folder / ID
    if not file.exists():
        file.write_text(sha256(f"{folder.absolute()} {folder.stat().st_ctime_ns}".encode()).hexdigest()[:16])
    return file.read_text().strip()


def recipe_in(folder: Path) -> dict[str, Any]:
    """The resolved recipe in the run folder."""
    file = RunFolder(folder).recipe
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
