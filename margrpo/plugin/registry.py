"""The components that are there, and the plugins that could not be had; imports no component."""

import functools
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs
import pluggy

from margrpo.errors import PluginError
from margrpo.plugin import builtin, hookspecs
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.kinds import KINDS
from margrpo.plugin.target import described, import_component

GROUP = "margrpo"
LONGEST = 60
"""Letters of a name that is quoted."""
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@attrs.frozen
class Failure:
    """A plugin that could not be had: its name, the distribution it came with, and the cause."""

    plugin: str
    distribution: str
    cause: str

    def __str__(self) -> str:
        return f"plugin {self.plugin} of {self.distribution} failed to load: {self.cause}"


class Registry:
    """Every component by kind and name, from our own entries and from every plugin that works."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("margrpo")
        self._manager.add_hookspecs(hookspecs)
        self._entries: dict[str, Entry] = {}
        self._distributions: dict[str, str] = {}
        self._classes: dict[str, type] = {}
        self.failures: list[Failure] = []
        self.register(builtin, "builtin", distribution="margrpo")

    def discover(self, points: Iterable[EntryPoint]) -> None:
        """Load each entry point in its own try, and list those that fail."""
        for point in points:
            distribution = point.dist.name if point.dist else "an unnamed distribution"
            try:
                plugin = point.load()
            except (Exception, SystemExit) as error:
                self.failures.append(Failure(point.name, distribution, described(error)))
            else:
                self.register(plugin, point.name, distribution=distribution)

    def register(self, plugin: Any, name: str, *, distribution: str | None = None) -> None:
        """Take in a plugin whole, or list it as failed; an id that is taken already is a `PluginError`."""
        distribution = distribution or name
        full_name = f"{distribution}:{name}"
        try:
            self._manager.register(plugin, full_name)
            self._manager.check_pending()
            entries = self._offered(plugin)
        except (Exception, SystemExit) as error:
            if self._manager.has_plugin(full_name):
                self._manager.unregister(name=full_name)
            self.failures.append(Failure(name, distribution, described(error)))
            return
        for entry in entries:
            self._add(entry, distribution)

    def entries(self, kind: str | None = None) -> list[Entry]:
        """The entries of one kind, or all, by id."""
        return sorted((entry for entry in self._entries.values() if kind in (None, entry.kind)), key=lambda e: e.id)

    def distribution(self, entry: Entry) -> str:
        """The name of the distribution that an entry came with."""
        return self._distributions[entry.id]

    def find(self, kind: str, name: str) -> Entry:
        """The entry KIND.NAME, or a `PluginError` that says what was perhaps meant."""
        entry = self._entries.get(f"{kind}.{name}")
        if entry is None:
            raise PluginError(self._not_found(kind, name))
        return entry

    def load(self, entry: Entry) -> type:
        """The component class of an entry, imported once."""
        if entry.id not in self._classes:
            self._classes[entry.id] = import_component(entry)
        return self._classes[entry.id]

    def name_of(self, kind: str, component: Any) -> str:
        """The `use` under which a component of this kind is registered."""
        cls = type(component)
        for entry in self.entries(kind):
            perhaps = entry.id in self._classes or entry.target.endswith(f":{cls.__name__}")
            if perhaps and self.load(entry) is cls:
                return entry.name
        raise PluginError(f"{cls.__qualname__} is registered as no {kind}; return an Entry for it")

    def called(self, kind: str, component: Any) -> str:
        """The name under which a component is registered, or that of its class where it is not."""
        try:
            return self.name_of(kind, component)
        except PluginError:
            return type(component).__name__

    def misfits(self, recipe: Any) -> Iterator[str]:
        """What the fit rules of plugins say of a recipe; a rule that fails is named, never passed over."""
        for implementation in self._manager.hook.margrpo_fit.get_hookimpls():
            rule: Any = implementation.function
            try:
                yield from list(rule(*(recipe for _ in implementation.argnames)))
            except Exception as error:
                yield f"the fit rule of plugin {implementation.plugin_name} failed: {described(error)}"

    def _offered(self, plugin: Any) -> list[Entry]:
        implementations = self._manager.hook.margrpo_components.get_hookimpls()
        hooks: list[Any] = [each.function for each in implementations if each.plugin is plugin]
        offered = [entry for hook in hooks for entry in hook()]
        for entry in offered:
            _check_entry(entry)
        repeated = {entry.id for entry in offered if [other.id for other in offered].count(entry.id) > 1}
        if repeated:
            raise PluginError(f"it returns {', '.join(sorted(repeated))} more than once; give each id one entry")
        return offered

    def _add(self, entry: Entry, distribution: str) -> None:
        if entry.id in self._entries:
            first = self._distributions[entry.id]
            raise PluginError(
                f"two distributions offer {entry.id}: {first} and {distribution}; rename it in one, or uninstall one"
            )
        self._entries[entry.id] = entry
        self._distributions[entry.id] = distribution

    def _not_found(self, kind: str, name: str) -> str:
        names = [entry.name for entry in self.entries(kind)]
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
        asked = repr(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")
        return "; ".join([f"there is no {kind} named {asked}; {hint}", *map(str, self.failures)])


def _check_entry(entry: Any) -> None:
    if not isinstance(entry, Entry):
        raise PluginError(f"margrpo_components returned {entry!r}, which is no margrpo.Entry")
    if not _ID.fullmatch(entry.id):
        raise PluginError(f"the id {entry.id!r} must be KIND.NAME in lower case, as in 'selector.uncertain'")
    if entry.kind not in KINDS:
        near = get_close_matches(entry.kind, KINDS, n=1)
        raise PluginError(
            f"the id {entry.id!r} names no kind; " + (f"did you mean {near[0]!r}?" if near else f"kinds: {list(KINDS)}")
        )
    if not _TARGET.fullmatch(entry.target):
        raise PluginError(f"the target {entry.target!r} of {entry.id} must be 'package.module:Class'")


@functools.cache
def registry() -> Registry:
    """The registry of this installation, made once from our own entries and the entry points of group `margrpo`."""
    made = Registry()
    made.discover(entry_points(group=GROUP))
    return made
