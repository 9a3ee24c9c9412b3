"""Files of weights in the formats of safetensors and torch.save; reading one never runs code in it."""

import argparse
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from margrpo.declare import record
from margrpo.errors import WeightsError
from margrpo.weights import source as weight_source

Tensors = Mapping[str, Tensor]
PARTS = ("policy", "codec")
"""The sets of a file that margrpo wrote: the first word of every name."""
PREFERENCE = {"ema": ("model_ema", "model", "state_dict"), "model": ("model", "state_dict")}
"""The sets of a published file that serve each choice, best first."""
_ALLOWED: list[Any] = [argparse.Namespace]
_FOREIGN = re.compile(r"GLOBAL (\S+)")
_GIST = re.compile(r"(?:trusted source\.|WeightsUnpickler error:)\s+(?!Please file)(.+)")
_BEGINNINGS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself; run `git lfs pull` where it came from",
    b"<!doctype html": "is a web page, not the file itself; download the file again",
    b"<html": "is a web page, not the file itself; download the file again",
}


@record
class WeightFile:
    """An opened file of weights: its sets of tensors, which are read when used, and the names of other contents."""

    source: str
    path: Path
    format: str
    sets: Mapping[str, Tensors]
    rest: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether margrpo wrote the file."""
        return set(self.sets) <= set(PARTS)

    def chosen(self, part: str, which: str) -> Tensors:
        """The tensors of a policy or codec; "ema" prefers the moving average, if a published file has one."""
        return self.sets[self.choice(part, which)]

    def choice(self, part: str, which: str) -> str:
        """The name of the set that `chosen` returns; `WeightsError` if the file does not hold one that serves."""
        order = (part,) if self.is_ours else PREFERENCE[which]
        for name in order:
            if name in self.sets:
                return name
        if self.is_ours:
            raise WeightsError(
                f"{self.source}: holds no tensor named {part}.*, only {', '.join(f'{name}.*' for name in self.sets)}; "
                f"it was made for another part"
            )
        raise WeightsError(
            f"{self.source}: holds the sets {', '.join(self.sets)}, and none is named {' or '.join(order)}"
        )


def opened(source: str, sha256: str = "") -> WeightFile:
    """Open the file of a source, fetched and verified first."""
    path = weight_source.fetched(source)
    weight_source.verify(path, sha256, source)
    form, rest = format_of(path, source), tuple[str, ...]()
    if form == "safetensors":
        sets = _split(_mapped(path, source))
    else:
        sets, rest = _sorted_out(_unpickled(path, source, in_zip="zip" in form))
    for name in (*PREFERENCE["ema"], *PARTS):
        if name in rest:
            raise WeightsError(f"{source}: {name} is not a set of named dense tensors; save it again, as a state_dict")
    if not sets:
        raise WeightsError(f"{source}: holds no set of named tensors" + (f", only {', '.join(rest)}" if rest else ""))
    return WeightFile(source=source, path=path, format=form, sets=sets, rest=rest)


def format_of(path: Path, source: str) -> str:
    """The format of a file by its first bytes, whatever its name."""
    try:
        with path.open("rb") as file:
            first = file.read(32)
    except OSError as error:
        raise WeightsError(f"{source}: cannot be read ({error.strerror}); give another file") from None
    if not first:
        raise WeightsError(f"{source}: is empty; write or fetch it again")
    for beginning, meaning in _BEGINNINGS.items():
        if first.lower().startswith(beginning):
            raise WeightsError(f"{source}: {meaning}")
    if first.startswith(b"PK\x03\x04"):
        return "torch.save, in a zip archive"
    if first.startswith(b"\x80") and first[1] <= pickle.HIGHEST_PROTOCOL:
        return "torch.save, of old"
    if first[8:9] == b"{":
        return "safetensors"
    raise WeightsError(f"{source}: is not a file of weights of safetensors or torch.save; give another file")


def _mapped(path: Path, source: str) -> Tensors:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except SafetensorError as error:
        raise WeightsError(f"{source}: is not a whole safetensors file ({error}); write or fetch it again") from None


def _split(tensors: Tensors) -> dict[str, Tensors]:
    """The sets of a safetensors file: one per first word of a name if margrpo wrote the file, else one."""
    if not all(name.startswith(tuple(f"{part}." for part in PARTS)) for name in tensors):
        return {"model": tensors}
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        found.setdefault(part, {})[rest] = tensor
    return dict(found)


def _unpickled(path: Path, source: str, *, in_zip: bool) -> Any:
    try:
        if in_zip:
            _check_archive(path, source)
        # torch warns of pickles that it did not write itself; what they may hold is limited all the same.
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(_ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=in_zip)
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{source}: {_refusal(str(error))}") from None
    except Exception as error:  # a file that is torn can fail in any way at all
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{source}: is not a whole file of torch.save ({said}); write or fetch it again") from None


def _refusal(said: str) -> str:
    """torch's message about a torn pickle, or one that holds more than tensors, without its advice to trust it."""
    if found := _FOREIGN.search(said):
        return (
            f"holds more than tensors: {found[1]}; such a file can run code when it is read, so it is refused; "
            f"save its tensors alone, best as safetensors"
        )
    gist = _GIST.search(said)
    return (
        f"is torn, or holds more than tensors ({gist[1] if gist else said.splitlines()[0]}); fetch it again, "
        f"or save its tensors alone, best as safetensors"
    )


def _check_archive(path: Path, source: str) -> None:
    if not zipfile.is_zipfile(path):
        raise WeightsError(f"{source}: is not a whole file of torch.save (it ends too early); write or fetch it again")
    with zipfile.ZipFile(path) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    if "constants.pkl" in names:
        raise WeightsError(f"{source}: is a TorchScript program, not a file of weights; save its state_dict")
    if "data.pkl" not in names:
        raise WeightsError(f"{source}: is a zip archive, but not one of torch.save; unpack it and give the file in it")


def _sorted_out(content: Any) -> tuple[dict[str, Tensors], tuple[str, ...]]:
    """The sets of tensors in the `content` of a file of torch.save, and the names of the rest."""
    if _is_set(content):
        return {"model": content}, ()
    entries = {str(key): value for key, value in content.items()} if isinstance(content, Mapping) else {}
    sets = {key: value for key, value in entries.items() if _is_set(value)}
    return sets, tuple(key for key in entries if key not in sets)


def _is_set(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(name, str) and _is_dense(tensor) for name, tensor in value.items())


def _is_dense(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta
