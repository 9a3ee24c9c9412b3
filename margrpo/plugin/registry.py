"""The registry of components, and of plugins that failed to load; imports no component."""

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs
import pluggy

from margrpo.errors import PluginError
from margrpo.plugin import builtin, from_file, hookspecs
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.kinds import Kinds
from margrpo.plugin.loading import described, import_component
from margrpo.plugin.plugin import Failure, Plugin, chosen, failed, origin, refuse_other_hooks

GROUP = "margrpo"
CHOICE = "MARGRPO_PLUGINS"
LONGEST = 60
"""Longest name that is quoted, in characters."""
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Registry:
    """All kinds and components, built-in and of every loaded plugin."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("margrpo")
        self._manager.add_hookspecs(hookspecs)
        self._entries: dict[str, Entry] = {}
        self._distributions: dict[str, str] = {}
        self._contested: dict[str, list[str]] = {}
        self._classes: dict[str, type] = {}
        self.kinds = Kinds()
        self.plugins: list[Plugin] = []
        self.failures: list[Failure] = []
        self.left_out: list[EntryPoint] = []
        self.register(builtin, "builtin", distribution="margrpo")

    def discover(self, points: Iterable[EntryPoint], wanted: str | None = None) -> None:
        """Load each wanted entry point in its own try, in the order of their names, and list the failures."""
        loaded, self.left_out, unknown = chosen(points, wanted)
        for name in unknown:
            names = ", ".join(sorted({point.name for point in (*loaded, *self.left_out)})) or "none"
            cause = f"{CHOICE} names it, and no plugin of this name is installed; there are {names}"
            self.failures.append(Failure(name, "no distribution", cause, f"correct {CHOICE}, or unset it"))
        for point in loaded:
            distribution, version = origin(point)
            try:
                module = point.load()
            except (Exception, SystemExit) as error:
                self.failures.append(failed(point.name, distribution, version, error))
            else:
                self.register(module, point.name, distribution=distribution, version=version)

    def register(self, module: Any, name: str, *, distribution: str | None = None, version: str = "") -> None:
        """Add a whole plugin, or list it as failed."""
        plugin = Plugin(name, distribution or name, version, module=module)
        try:
            self._admit(plugin)
        except (Exception, SystemExit) as error:
            if self._manager.get_plugin(plugin.full_name) is module:
                self._manager.unregister(name=plugin.full_name)
            self.failures.append(failed(name, plugin.distribution, version, error))

    def entries(self, kind: str | None = None) -> list[Entry]:
        """The entries of one kind, or all, by id."""
        return sorted((entry for entry in self._entries.values() if kind in (None, entry.kind)), key=lambda e: e.id)

    def contested(self, entry: Entry) -> bool:
        """Whether other distributions offer the id of an entry too, so that none of them has it."""
        return entry.id in self._contested

    def distribution(self, entry: Entry) -> str:
        """The name of an entry's distribution."""
        return self._distributions[entry.id]

    def find(self, kind: str, name: str) -> Entry:
        """The entry KIND.NAME, or the entry of FILE.py:NAME; `PluginError` with a suggestion if it is unknown."""
        if from_file.names_file(name):
            return Entry(f"{kind}.{name}", name, "from a file")
        entry_id = f"{kind}.{name}"
        if entry_id in self._contested:
            raise PluginError(_clash(entry_id, self._contested[entry_id]))
        if entry_id not in self._entries:
            raise PluginError(self._not_found(kind, name))
        return self._entries[entry_id]

    def load(self, entry: Entry) -> type:
        """The component class of an entry, imported once."""
        if entry.id not in self._classes:
            load = from_file.component_of if from_file.names_file(entry.target) else import_component
            self._classes[entry.id] = load(entry, self.kinds[entry.kind].protocol)
        return self._classes[entry.id]

    def name_of(self, kind: str, component: Any) -> str:
        """The `use` of a component of this kind: its registered name, or FILE.py:NAME."""
        cls = type(component)
        for entry_id, loaded in self._classes.items():
            if loaded is cls and entry_id.startswith(f"{kind}."):
                return entry_id.removeprefix(f"{kind}.")
        for entry in self.entries(kind):
            if entry.target.endswith(f":{cls.__name__}") and self.load(entry) is cls:
                return entry.name
        raise PluginError(f"{cls.__qualname__} is not registered as a component of kind {kind}; return an Entry for it")

    def short_name(self, kind: str, component: Any) -> str:
        """A short name for a component: its registered name, its name in a file, or else the name of its class."""
        try:
            return from_file.short(self.name_of(kind, component))
        except PluginError:
            return type(component).__name__

    def files(self) -> dict[str, str]:
        """The files of components, each with its SHA-256."""
        return from_file.digests(entry_id.partition(".")[2] for entry_id in self._classes)

    def fit_problems(self, recipe: Any) -> Iterator[str]:
        """The sentences of the plugins' fit rules about a recipe; a rule that fails yields a sentence too."""
        for implementation in self._manager.hook.margrpo_fit.get_hookimpls():
            rule: Any = implementation.function
            try:
                yield from list(rule(*(recipe for _ in implementation.argnames)))
            except Exception as error:
                yield f"the fit rule of plugin {implementation.plugin_name} failed: {described(error)}"

    def commands(self) -> Iterator[tuple[Plugin, Callable[..., None]]]:
        """The plugins that add commands, each with its hook."""
        for plugin in self.plugins:
            for hook in self._hooks("margrpo_commands", plugin):
                yield plugin, hook

    def fail(self, plugin: Plugin, error: BaseException) -> None:
        """List a plugin as failed, if a part of it fails after it was added."""
        self.failures.append(failed(plugin.name, plugin.distribution, plugin.version, error))

    def _admit(self, plugin: Plugin) -> None:
        refuse_other_hooks(plugin.module)
        self._manager.register(plugin.module, plugin.full_name)
        self._manager.check_pending()
        brought = [kind for hook in self._hooks("margrpo_kinds", plugin) for kind in hook()]
        kinds = self.kinds.joined(brought)
        entries = [entry for hook in self._hooks("margrpo_components", plugin) for entry in hook()]
        for entry in entries:
            _check_entry(entry, list(kinds))
        repeated = {entry.id for entry in entries if [other.id for other in entries].count(entry.id) > 1}
        if repeated:
            raise PluginError(f"it returns {', '.join(sorted(repeated))} more than once; give each id one entry")
        self._refuse_clash(plugin, entries)
        self.kinds = kinds
        self._entries |= {entry.id: entry for entry in entries}
        self._distributions |= {entry.id: plugin.distribution for entry in entries}
        self.plugins.append(attrs.evolve(plugin, entries=tuple(entries), kinds=tuple(brought)))

    def _hooks(self, name: str, plugin: Plugin) -> list[Callable[..., Any]]:
        implementations = getattr(self._manager.hook, name).get_hookimpls()
        return [each.function for each in implementations if each.plugin is plugin.module]

    def _refuse_clash(self, plugin: Plugin, entries: list[Entry]) -> None:
        """Raise `PluginError` if an id is taken; an id that two plugins offer belongs to neither."""
        taken = [entry.id for entry in entries if entry.id in self._entries or entry.id in self._contested]
        if not taken:
            return
        for entry_id in taken:
            owners = self._contested.get(entry_id) or [self._distributions[entry_id]]
            if owners != ["margrpo"]:
                self._contested[entry_id] = [*owners, plugin.distribution]
                self._entries.pop(entry_id, None)
        first = taken[0]
        raise PluginError(_clash(first, self._contested.get(first) or ["margrpo", plugin.distribution]))

    def _not_found(self, kind: str, name: str) -> str:
        names = [entry.name for entry in self.entries(kind)]
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
        asked = repr(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")
        left = f"{CHOICE} leaves out {', '.join(point.name for point in self.left_out)}"
        return "; ".join(
            [f"there is no {kind} named {asked}; {hint}", *map(str, self.failures), *([left] if self.left_out else [])]
        )


def _clash(entry_id: str, distributions: list[str]) -> str:
    count = {2: "two"}.get(len(distributions), str(len(distributions)))
    return f"{count} distributions offer {entry_id}: {' and '.join(distributions)}; rename it in one, or uninstall one"


def _check_entry(entry: Any, kinds: Sequence[str]) -> None:
    if not isinstance(entry, Entry):
        raise PluginError(f"margrpo_components returned {entry!r}, which is not a margrpo.Entry")
    if not _ID.fullmatch(entry.id):
        raise PluginError(f"the id {entry.id!r} must be KIND.NAME in lower case, as in 'selector.uncertain'")
    if entry.kind not in kinds:
        near = get_close_matches(entry.kind, kinds, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"kinds: {', '.join(kinds)}"
        raise PluginError(f"the id {entry.id!r} names no kind; {hint}")
    if not _TARGET.fullmatch(entry.target):
        raise PluginError(f"the target {entry.target!r} of {entry.id} must be 'package.module:Class'")


@functools.cache
def registry() -> Registry:
    """The registry of this installation, made once from built-in entries and the entry points of group `margrpo`."""
    made = Registry()
    made.discover(entry_points(group=GROUP), os.environ.get(CHOICE))
    return made
