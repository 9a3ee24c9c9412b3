"""Files of token maps: what became of each token of a few images; imports no torch."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from margrpo.declare import record
from margrpo.errors import RunError


@record
class Layer:
    """One number for each token of an image: when it was committed, how far its chains spread, and so on.

    `values` has a row for each AR step that was looked at, or one row for all of them.
    """

    name: str
    meaning: str
    values: np.ndarray

    def mean(self) -> np.ndarray:
        """The mean over the AR steps at which a token's number is known; not a number where there is none."""
        return np.ma.masked_invalid(self.values).mean(axis=0).filled(np.nan)


@record
class Mapped:
    """One image: frames (s h w 3) in bytes, the AR steps that they are of, and its layers."""

    caption: str
    steps: tuple[int, ...]
    frames: np.ndarray
    layers: tuple[Layer, ...]

    @property
    def side(self) -> int:
        """Tokens along a side."""
        return round(self.layers[0].values.shape[-1] ** 0.5)


MEANINGS = {
    "committed": "AR step at which each token was committed",
    "spread": "std of its chains: the brighter, the less certain",
    "gain": "how far the prediction moved towards the finished image since the step before, as cosine",
    "selected": "tokens that the selector chooses for the update",
    "weight": "what a token counts for in the loss, before its image's advantage",
    "kl": "KL from the policy before training, nats",
}


def write(file: Path, arrays: Mapping[str, np.ndarray], captions: Sequence[str]) -> None:
    """Write arrays with a column for each image, whole or not at all."""
    from safetensors.numpy import save_file

    file.parent.mkdir(exist_ok=True)
    beside = file.with_name(file.name + ".partial")
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(whole, beside, metadata={"captions": json.dumps(list(captions), ensure_ascii=False)})
    os.replace(beside, file)


def read(file: Path) -> list[Mapped]:
    """The images of a file, or `RunError` where it is not as it was written."""
    from safetensors import safe_open

    try:
        with safe_open(file, framework="np") as opened:
            arrays: dict[str, Any] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            captions = json.loads(opened.metadata()["captions"])
        return [image(arrays, number, caption) for number, caption in enumerate(captions)]
    except Exception as error:  # safetensors, JSON and keys each raise their own
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise RunError(f"{file}: cannot be read as token maps ({said}); remove it") from None


def image(arrays: Mapping[str, np.ndarray], number: int, caption: str) -> Mapped:
    """One of the images of a file."""
    layers = []
    for name, meaning in MEANINGS.items():
        values = arrays[name].astype(np.float32)
        layers.append(Layer(name, meaning, values[None, number] if values.ndim == 2 else values[:, number]))
    frames = np.moveaxis(arrays["frames"][:, number], 1, -1)
    return Mapped(caption, tuple(arrays["steps"].tolist()), frames, tuple(layers))
