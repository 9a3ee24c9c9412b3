"""torch for modules that must not cost its import.

`margrpo recipes check` answers in well under a second. It needs the settings of components, and their modules also
hold tensor code. Such a module writes `from margrpo.lazy import Tensor, torch`: where torch is loaded already, these
are the real things (and jaxtyping checks shapes, as in the tests); where it is not, `torch` loads it on first use and
`Tensor` only stands in annotations.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "torch" in sys.modules:
    import torch
    from torch import Generator, Tensor
    from torch.nn import Module, Parameter
else:

    class _Later(ModuleType):
        """A module that is imported when its first attribute is asked for."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module(self.__name__), name)

    torch = _Later("torch")

    class Generator:
        """Stands for torch.Generator in annotations."""

    class Module:
        """Stands for torch.nn.Module in annotations."""

    class Parameter:
        """Stands for torch.nn.Parameter in annotations."""

    class Tensor:
        """Stands for torch.Tensor in annotations."""


__all__ = ["Generator", "Module", "Parameter", "Tensor", "torch"]
