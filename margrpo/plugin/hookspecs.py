"""Every hook of margrpo on one page."""

from collections.abc import Mapping
from typing import Any

import attrs
import pluggy


@attrs.frozen
class Kind:
    """One kind of component: its name is the recipe table, the folder and the first half of every entry id.

    `default` is the table, or for `many` the array of tables, that stands where a recipe has none; None where there is
    no default. It is of tables at the top of a recipe only: a nested one always names its component, and the kinds
    that plugins bring are always nested.
    """

    name: str
    protocol: type
    meaning: str
    default: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None = None
    many: bool = False

    @property
    def default_use(self) -> str | None:
        """The `use` of a table at the top that names none, or None where it must."""
        return self.default["use"] if isinstance(self.default, Mapping) else None


HOOKS = 1
"""The version of these hooks and of the contracts, which a plugin's module states as MARGRPO_HOOKS.

It grows when a plugin that was sound before no longer would be.
"""
OLDEST = 1
"""The oldest version that is still served."""

hookspec = pluggy.HookspecMarker("margrpo")
hookimpl = pluggy.HookimplMarker("margrpo")


@attrs.frozen
class Entry:
    """One component, named without importing it.

    `id` is KIND.NAME, as in `selector.uncertain`: the recipe table and the `use` that picks it. `target` is
    "package.module:Class". `summary` is one clause for `margrpo components list`.
    """

    id: str
    target: str
    summary: str = ""

    @property
    def kind(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The part of the id after the dot."""
        return self.id.partition(".")[2]


@hookspec
def margrpo_components() -> list[Entry]:  # type: ignore[empty-body]
    """The components of a plugin. Called when the registry is made, so it must not import them."""


@hookspec
def margrpo_kinds() -> list[Kind]:  # type: ignore[empty-body]
    """Kinds of components that the plugin brings, for tables nested in components of its own.

    The contract of a `Kind` is a Protocol of the plugin's, by which a setting is annotated. Called before
    `margrpo_components`, and like it must import nothing heavy.
    """


@hookspec
def margrpo_commands(app: Any) -> None:
    """Add commands to the command line: `app` is an empty `typer.Typer` whose commands and groups are taken over.

    A `MargrpoError` that they raise is told in a sentence. Called at every start of the command line, so what they
    need must be imported inside them.
    """


@hookspec
def margrpo_fit(recipe: Any) -> list[str]:  # type: ignore[empty-body]
    """What keeps the components of a sound recipe from working together, one sentence each, or an empty list.

    `recipe` is a `Recipe` or `Pretraining`; a sentence begins with the path it speaks of, as in "sampler.eta = 0 …".
    Called by `margrpo recipes check` and before every run, so it must not load weights.
    """
