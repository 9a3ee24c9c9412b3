"""Loading files of weights into modules, and writing modules to files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from margrpo.contracts import Weights
from margrpo.errors import WeightsError
from margrpo.weights.file import Tensors, opened
from margrpo.weights.published_names import kind_of_names, without_loss
from margrpo.weights.source import SOURCES

SHOWN = 8
"""Differences that are named before the others are counted."""
_MEANT_FOR = {
    "policy": "a MAR, so give it as policy.checkpoint",
    "codec": "an autoencoder, so give it as codec.checkpoint",
}


@runtime_checkable
class Choice(Protocol):
    """The read-only settings of a policy or a codec that choose its weights."""

    @property
    def checkpoint(self) -> str:
        """The source of the file of weights."""

    @property
    def weights(self) -> str:
        """The set of weights in the file: "ema" or "model"."""

    @property
    def sha256(self) -> str:
        """The SHA-256 that the file must have; "" is not checked."""


def load(
    module: Weights,
    part: str,
    choice: Choice,
    *,
    published: Callable[[str], str] = str,
    cure: Callable[[Tensors], str] = lambda _: "",
) -> None:
    """Load into a module the weights that a component's settings choose, from a published file or one of margrpo's.

    - `published`: gives the published name of each of the module's tensors.
    - `cure`: names the settings that would fit published tensors that do not fit.
    """
    if not choice.checkpoint:
        raise WeightsError(f'{part}.checkpoint is empty; give {SOURCES}, or set {part}.weights = "random"')
    file = opened(choice.checkpoint, choice.sha256)
    tensors, source = without_loss(file.chosen(part, choice.weights)), choice.checkpoint
    if file.is_ours:
        found = {published(name): tensor for name, tensor in tensors.items()}
        put(module, tensors, source, cure=lambda _: cure(found))
        return
    kind = kind_of_names(tensors)
    if kind not in (None, part):
        raise WeightsError(f"{source}: is not a {part}: it holds {_MEANT_FOR[kind or part]}")
    put(module, tensors, source, names=published, cure=cure)


def read(source: str, part: str) -> Tensors:
    """The tensors of one part, "policy" or "codec", of a file that margrpo wrote."""
    return opened(source).chosen(part, "model")


def put(
    module: Weights,
    tensors: Tensors,
    source: str,
    *,
    names: Callable[[str], str] = str,
    cure: Callable[[Tensors], str] = lambda _: "",
) -> None:
    """Load tensors into a module; an error names each tensor that is missing, left over, or of another shape or type.

    `names` gives the name in the file of each of the module's tensors.
    """
    problems = differences({names(name): value for name, value in module.state_dict().items()}, tensors)
    if problems:
        shown = "; ".join(problems[:SHOWN])
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise WeightsError(f"{source}: does not fit the model: {shown}{more}{cure(tensors)}")
    module.load_state_dict({name: tensors[names(name)] for name in module.state_dict()})


def differences(own: Tensors, given: Tensors) -> list[str]:
    """The reasons why the `given` tensors cannot replace a model's `own`."""
    problems = [f"{name} is missing" for name in own if name not in given]
    problems += [f"{name} is left over" for name in given if name not in own]
    return problems + [
        f"{name} is {said}" for name in own if name in given and (said := misfit(given[name], own[name]))
    ]


def misfit(given: Tensor, own: Tensor) -> str:
    """The reason why a tensor cannot replace a model's own (shape, type, or numbers not finite), or ""."""
    if given.shape != own.shape:
        return f"{tuple(given.shape)} where the model has {tuple(own.shape)}"
    if given.is_floating_point() != own.is_floating_point():
        return f"of {dtype_name(given)} where the model has {dtype_name(own)}"
    return "" if given.isfinite().all() else "not finite: it holds NaN or infinity"


def dtype_name(tensor: Tensor) -> str:
    """The name of a tensor's type without "torch.", such as float32."""
    return str(tensor.dtype).removeprefix("torch.")


def write(path: Path, modules: Mapping[str, Weights]) -> None:
    """Write the weights of modules as `NAME.parameter` into one safetensors file, in float32, whole or not at all."""
    write_tensors(
        path,
        {
            f"{name}.{key}": value.detach().to("cpu", torch.float32)
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        },
    )


def read_tensors(path: Path) -> Tensors:
    """The tensors of a safetensors file."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read ({error})") from None


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Write tensors into a safetensors file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    beside.touch()
    mode = beside.stat().st_mode  # safetensors gives its own files to their owner alone
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside)
    beside.chmod(mode)
    beside.replace(path)
