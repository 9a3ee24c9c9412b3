"""A tracker for TensorBoard."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxtyping import Float

from margrpo.declare import component
from margrpo.errors import PluginError
from margrpo.lazy import Tensor

FOLDER = "tensorboard"


@component
class Tensorboard:
    """Figures, pictures and distributions as event files in the run folder's tensorboard/.

    `tensorboard --logdir RUN` shows them; a folder of runs shows them together.
    """

    def require(self) -> None:
        """Raise `PluginError` if TensorBoard is missing."""
        if find_spec("tensorboard") is None:
            raise PluginError(
                "tracker tensorboard needs tensorboard, which is not installed; pip install tensorboard, or leave the "
                "tracker out"
            )

    def open(self, folder: Path, title: str, steps: int, start: int) -> "TensorboardTrack":
        """Open new event files; older events of steps that will be repeated no longer count."""
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(Path(folder) / FOLDER), purge_step=start)
        return TensorboardTrack(writer, title)


class TensorboardTrack:
    """Open event files."""

    def __init__(self, writer: Any, title: str):
        self._writer, self._messages = writer, 0
        writer.add_text("title", title, 0)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Write each figure as a scalar."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def say(self, sentence: str) -> None:
        """Add a message to the text `log`."""
        self._writer.add_text("log", sentence, self._messages)
        self._messages += 1

    def log_image(self, step: int, name: str, file: Path) -> None:
        """Write the picture in `file`."""
        import numpy as np
        from PIL import Image

        self._writer.add_image(name, np.asarray(Image.open(file).convert("RGB")), step, dataformats="HWC")

    def log_histogram(self, step: int, name: str, values: Float[Tensor, "_"]) -> None:
        """Write a histogram of `values`."""
        self._writer.add_histogram(name, values, step)

    def close(self) -> None:
        """Flush and close the files."""
        self._writer.close()
