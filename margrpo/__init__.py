"""margrpo: GRPO for masked autoregressive image generators with diffusion heads.

This is the plugin author's door: declare a component, name it in an `Entry`, and return it from the hook.
Nothing here imports torch.
"""

from importlib.metadata import PackageNotFoundError, version

from margrpo.declare import (
    REQUIRED,
    Check,
    at_least,
    between,
    component,
    not_negative,
    one_of,
    positive,
    record,
    setting,
)
from margrpo.errors import MargrpoError
from margrpo.plugin.hookspecs import Entry, Kind, hookimpl

try:
    __version__ = version("margrpo")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "REQUIRED",
    "Check",
    "Entry",
    "Kind",
    "MargrpoError",
    "__version__",
    "at_least",
    "between",
    "component",
    "hookimpl",
    "not_negative",
    "one_of",
    "positive",
    "record",
    "setting",
]
