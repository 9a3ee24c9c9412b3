"""A plugin that was found: what it brings, or why it could not be had and what to do about it."""

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
    """A plugin that works."""

    name: str
    distribution: str
    version: str = ""
    entries: tuple[Entry, ...] = ()
    kinds: tuple[Kind, ...] = ()
    module: Any = attrs.field(default=None, repr=False, eq=False)

    @property
    def full_name(self) -> str:
        """The name that no other plugin has."""
        return f"{self.distribution}:{self.name}"


@attrs.frozen
class Failure:
    """A plugin that could not be had: its name, its distribution, the cause, what to do, and where in its code."""

    plugin: str
    distribution: str
    cause: str
    remedy: str = ""
    version: str = ""
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"plugin {self.plugin} of {self.distribution} failed to load: {self.cause}"


def origin(point: EntryPoint) -> tuple[str, str]:
    """The name and version of the distribution that an entry point came with."""
    return (point.dist.name, point.dist.version) if point.dist else ("an unnamed distribution", "")


def refuse_other_hooks(module: Any) -> None:
    """Raise `PluginError` where a plugin's module says that it is written for hooks that are not these."""
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
    """What is to be told of a plugin that raised this."""
    return Failure(name, distribution, described(error), remedy(error, name, distribution), version, where(error))


def where(error: BaseException) -> tuple[str, ...]:
    """The lines of others' code through which an error came, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [each for each in frames if not each.filename.startswith("<") and not each.filename.startswith(_OURS)]
    return tuple(f"{each.filename}, line {each.lineno}: {each.line}" for each in foreign)


def remedy(error: BaseException, name: str, distribution: str) -> str:
    """What to do about a plugin that raised this, as far as the error tells."""
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
    """The entry points to load, those left out, and the wanted names that none has.

    `wanted` is MARGRPO_PLUGINS: names of plugins or their distributions; all where it is not set, none where it is
    empty.
    """
    ordered = sorted(points, key=lambda point: (*origin(point), point.name))
    if wanted is None:
        return ordered, [], []
    names = {name for name in _NAMES.split(wanted) if name}
    loaded = [point for point in ordered if names & {point.name, origin(point)[0]}]
    known = {name for point in loaded for name in (point.name, origin(point)[0])}
    return loaded, [point for point in ordered if point not in loaded], sorted(names - known)
