"""The kinds of components that a registry knows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Kind

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@attrs.frozen
class Kinds(Mapping[str, Kind]):
    """Kinds by their names, in the order in which plugins added them."""

    by_name: Mapping[str, Kind] = attrs.field(factory=dict)

    def __getitem__(self, name: str) -> Kind:
        """The kind named `name`."""
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of kinds."""
        return iter(self.by_name)

    def __len__(self) -> int:
        """The number of kinds."""
        return len(self.by_name)

    def of(self, annotation: Any) -> Kind | None:
        """The kind whose contract a setting is annotated with, or None for any other annotation."""
        return next((kind for kind in self.by_name.values() if kind.protocol is annotation), None)

    def joined(self, brought: Sequence[Any]) -> "Kinds":
        """The kinds together with the kinds that a plugin adds; an unsound one raises `PluginError`."""
        kinds = dict(self.by_name)
        for kind in brought:
            _refuse_unsound(kind, kinds)
            kinds.setdefault(kind.name, kind)
        return Kinds(kinds)


def _refuse_unsound(kind: Any, known: Mapping[str, Kind]) -> None:
    """Raise `PluginError` if `kind` is not a `Kind`, or has the name or the contract of another kind."""
    if not isinstance(kind, Kind):
        raise PluginError(f"margrpo_kinds returned {kind!r}, which is not a margrpo.Kind")
    if not _NAME.fullmatch(kind.name):
        raise PluginError(f"the kind {kind.name!r} must be one word in lower case, as in 'selector'")
    for other in known.values():
        if other.name == kind.name and other.protocol is not kind.protocol:
            contract = f"{other.protocol.__module__}.{other.protocol.__qualname__}"
            raise PluginError(f"its kind {kind.name!r} is already that of {contract}; give it another name")
        if other.protocol is kind.protocol and other.name != kind.name:
            raise PluginError(
                f"the contract of its kind {kind.name!r} is already that of {other.name!r}; give it its own"
            )
