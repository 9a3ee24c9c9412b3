"""Reading of weights from files of torch.save."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from margrpo.errors import WeightsError

M = TypeVar("M", bound=nn.Module)


def read(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a file that torch.save wrote, in float32; reading never runs code in it."""
    try:
        whole: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its parts do
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{file}: cannot be read as weights alone ({said[:120]})") from None
    tensors = whole.get("state_dict", whole) if isinstance(whole, Mapping) else None
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise WeightsError(f"{file}: does not hold named weights")
    return {name.removeprefix("module."): value.float() for name, value in tensors.items()}


def fill(model: M, tensors: Mapping[str, Tensor], file: Path, doubt: str) -> M:
    """Load all weights into `model`; `WeightsError` with the question `doubt` if they do not fit."""
    try:
        found = model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        said = str(error).splitlines()
        gist = " ".join(said[1:2]).strip() or said[0]
        raise WeightsError(f"{file}: {gist}; {doubt}") from None
    for verb, names in (("lacks", found.missing_keys), ("holds", found.unexpected_keys)):
        if odd := [name for name in names if not name.endswith("position_ids")]:  # 0, 1, 2, …, saved or not
            raise WeightsError(f"{file}: {verb} {odd[0]}; {doubt}")
    return model
