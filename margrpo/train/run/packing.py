"""Packing of state into tensors, for a safetensors file, and plain values, for JSON."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from margrpo.errors import RunError

Tensors = dict[str, Tensor]
_PLAIN = (str, int, float, bool, type(None))


def pack(value: Any, name: str) -> tuple[Any, Tensors]:
    """Plain JSON of `value`, and its tensors by their paths from `name`; other objects raise `RunError`."""
    tensors: Tensors = {}
    return _packed(value, name, tensors), tensors


def unpack(plain: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value that `pack` was given."""
    if isinstance(plain, list):
        return [unpack(each, tensors) for each in plain]
    if not isinstance(plain, dict):
        return plain
    ((form, inner),) = plain.items()
    if form == "tensor":
        return tensors[inner]
    if form == "tuple":
        return tuple(unpack(each, tensors) for each in inner)
    return {key: unpack(each, tensors) for key, each in inner}


def _packed(value: Any, path: str, tensors: Tensors) -> Any:
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, Mapping):
        items = [(key, _packed(each, f"{path}.{key}", tensors)) for key, each in value.items()]
        if any(type(key) not in (str, int) for key, _ in items):
            raise RunError(f"the state {path} cannot be saved: its keys must be strings or whole numbers")
        return {"items": items}
    if isinstance(value, (list, tuple)):
        packed = [_packed(each, f"{path}.{number}", tensors) for number, each in enumerate(value)]
        return packed if isinstance(value, list) else {"tuple": packed}
    if type(value) in _PLAIN:
        return value
    kind = type(value).__name__
    raise RunError(
        f"the state {path} cannot be saved: it is a {kind}, and state is made of tensors, numbers, strings, lists, "
        "tuples and mappings"
    )
