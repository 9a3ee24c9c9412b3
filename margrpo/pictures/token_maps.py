"""Files of token maps: values of each token of a few images, by AR step; imports no torch."""

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
    """A value for each token of an image, such as the AR step that committed it or the spread of its chains.

    `values` has a row for each recorded AR step, or a single row for all AR steps.
    """

    name: str
    meaning: str
    values: np.ndarray

    def mean(self) -> np.ndarray:
        """The mean over the AR steps at which a token's value is known; NaN if it is never known."""
        return np.ma.masked_invalid(self.values).mean(axis=0).filled(np.nan)


@record
class Mapped:
    """The maps of an image: frames (s h w 3) in bytes, the AR step of each frame, and the layers."""

    caption: str
    steps: tuple[int, ...]
    frames: np.ndarray
    layers: tuple[Layer, ...]

    @property
    def side(self) -> int:
        """The number of tokens along a side."""
        return round(self.layers[0].values.shape[-1] ** 0.5)


MEANINGS = {
    "committed": "AR step at which each token was committed",
    "spread": "std of a token's chains; brighter is less certain",
    "gain": "gain in cosine similarity between the prediction and the finished image since the AR step before",
    "selected": "tokens that the selector chooses for the update",
    "weight": "weight of a token in the loss, before its image's advantage",
    "kl": "KL from the policy before training, nats",
}


def write(file: Path, arrays: Mapping[str, np.ndarray], captions: Sequence[str]) -> None:
    """Write arrays with a column per image, whole or not at all."""
    from safetensors.numpy import save_file

    file.parent.mkdir(exist_ok=True)
    beside = file.with_name(file.name + ".partial")
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(whole, beside, metadata={"captions": json.dumps(list(captions), ensure_ascii=False)})
    os.replace(beside, file)


def read(file: Path) -> list[Mapped]:
    """The images of a file of token maps; a damaged file raises `RunError`."""
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
    """Image `number` of a file of token maps."""
    layers = []
    for name, meaning in MEANINGS.items():
        values = arrays[name].astype(np.float32)
        layers.append(Layer(name, meaning, values[None, number] if values.ndim == 2 else values[:, number]))
    frames = np.moveaxis(arrays["frames"][:, number], 1, -1)
    return Mapped(caption, tuple(arrays["steps"].tolist()), frames, tuple(layers))
