"""Plugins that were loaded, and plugins that failed to load with the cause and a remedy."""

import importlib
import re
import traceback
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import attrs
import pluggy
from pluggy import PluginValidationError

from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import HOOKS, OLDEST, Entry, Kind
from margrpo.plugin.loading import described


@attrs.frozen
class Plugin:
    """A plugin that was loaded."""

    name: str
    distribution: str
    version: str = ""
    entries: tuple[Entry, ...] = ()
    kinds: tuple[Kind, ...] = ()
    module: Any = attrs.field(default=None, repr=False, eq=False)

    @property
    def full_name(self) -> str:
        """The unique name of the plugin, DISTRIBUTION:NAME."""
        return f"{self.distribution}:{self.name}"


@attrs.frozen
class Failure:
    """A plugin that failed to load: its name, its distribution, the cause, the remedy, and the place in its code."""

    plugin: str
    distribution: str
    cause: str
    remedy: str = ""
    version: str = ""
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"plugin {self.plugin} of {self.distribution} failed to load: {self.cause}"


def origin(point: EntryPoint) -> tuple[str, str]:
    """The name and version of an entry point's distribution."""
    return (point.dist.name, point.dist.version) if point.dist else ("an unnamed distribution", "")


def refuse_other_hooks(module: Any) -> None:
    """Raise `PluginError` if a plugin's module is written for another version of the hooks."""
    asked = getattr(module, "MARGRPO_HOOKS", HOOKS)
    if not isinstance(asked, int):
        raise PluginError(f"its MARGRPO_HOOKS = {asked!r} must be a whole number; the present version is {HOOKS}")
    if asked > HOOKS:
        raise PluginError(f"it is too new: it wants version {asked} of the hooks, and this margrpo has {HOOKS}")
    if asked < OLDEST:
        raise PluginError(
            f"it is too old: it wants version {asked} of the hooks, and this margrpo serves {OLDEST} to {HOOKS}"
        )


def failed(name: str, distribution: str, version: str, error: BaseException) -> Failure:
    """The failure of a plugin that raised `error`."""
    return Failure(name, distribution, described(error), remedy(error, name, distribution), version, where(error))


def where(error: BaseException) -> tuple[str, ...]:
    """The lines of foreign code through which an error came, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [each for each in frames if not each.filename.startswith("<") and not each.filename.startswith(_OURS)]
    return tuple(f"{each.filename}, line {each.lineno}: {each.line}" for each in foreign)


def remedy(error: BaseException, name: str, distribution: str) -> str:
    """The remedy for a plugin that raised `error`, as far as the error shows it."""
    update = f"pip install --upgrade {distribution}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if missing == "margrpo":
            return f"it was written for another margrpo: {update}, or pip install --upgrade margrpo"
        return f"pip install {missing}, or what brings it, or reinstall {distribution} with all that it depends on"
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "margrpo":
        return f"it was written for another margrpo: {update}, or pip install --upgrade margrpo"
    if "too new" in str(error):
        return "pip install --upgrade margrpo"
    if "too old" in str(error):
        return update
    if isinstance(error, PluginError | PluginValidationError):
        return f"{update}, or tell its authors; pip uninstall {distribution} is rid of it"
    return f"tell its authors; `margrpo plugins check {name}` shows where it happened"


_OURS = (str(Path(__file__).parents[1]), str(Path(pluggy.__file__).parent), str(Path(importlib.__file__).parent))
_NAMES = re.compile(r"[\s,]+")


def chosen(points: Iterable[EntryPoint], wanted: str | None) -> tuple[list[EntryPoint], list[EntryPoint], list[str]]:
    """The entry points to load, the entry points left out, and the wanted names without an entry point.

    `wanted` is MARGRPO_PLUGINS: names of plugins or their distributions; None means all, and "" means none.
    """
    ordered = sorted(points, key=lambda point: (*origin(point), point.name))
    if wanted is None:
        return ordered, [], []
    names = {name for name in _NAMES.split(wanted) if name}
    loaded = [point for point in ordered if names & {point.name, origin(point)[0]}]
    known = {name for point in loaded for name in (point.name, origin(point)[0])}
    return loaded, [point for point in ordered if point not in loaded], sorted(names - known)
