"""Reading and writing weights files; nothing that is read can run code."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from margrpo.contracts import Weights
from margrpo.errors import WeightsError

PACKAGED = "package://"


def read(source: str, prefix: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose names begin with `prefix.`, without it.

    `source` is a path, or `package://package.module/FILE` for a file that ships inside a package.
    """
    try:
        data = packaged(source).read_bytes() if source.startswith(PACKAGED) else Path(source).read_bytes()
    except OSError as error:
        raise WeightsError(f"{source}: cannot be read ({error.strerror or error}); give an existing file") from None
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise WeightsError(f"{source}: is no whole safetensors file ({error}); write or fetch it again") from None
    chosen = {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}
    if not chosen:
        raise WeightsError(f"{source}: holds no tensor named {prefix}.*; it was made for something else")
    return chosen


def packaged(source: str) -> "resources.abc.Traversable":
    """The file inside a package that a `package://` source names."""
    package, _, name = source.removeprefix(PACKAGED).partition("/")
    try:
        return resources.files(package) / name
    except ModuleNotFoundError:
        raise WeightsError(f"{source}: there is no package {package!r}; install it or give a path") from None


def put(module: Weights, tensors: Mapping[str, Tensor], source: str) -> None:
    """Load tensors into a module, naming every one that is missing, left over or of another shape."""
    own = module.state_dict()
    problems = [f"{name} is missing" for name in own if name not in tensors]
    problems += [f"{name} is left over" for name in tensors if name not in own]
    problems += [
        f"{name} is {tuple(tensors[name].shape)} where the model has {tuple(value.shape)}"
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if problems:
        shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" if len(problems) > 8 else "")
        raise WeightsError(f"{source}: does not fit the model: {shown}")
    module.load_state_dict(dict(tensors))


def write(path: Path, modules: Mapping[str, Weights], metadata: Mapping[str, str] | None = None) -> None:
    """Write the weights of modules as `NAME.parameter` into one safetensors file, in float32, whole or not at all."""
    tensors = {
        f"{name}.{key}": value.detach().to("cpu", torch.float32).contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    save_file(tensors, beside, metadata=dict(metadata or {}))
    beside.replace(path)
