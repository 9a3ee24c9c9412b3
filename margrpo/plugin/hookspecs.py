"""The hooks of margrpo, all on one page."""

from collections.abc import Mapping
from typing import Any

import attrs
import pluggy


@attrs.frozen
class Kind:
    """A kind of component.

    - `name`: the recipe table, the folder and the first half of every entry id.
    - `protocol`: the contract of the kind's components.
    - `meaning`: one clause for the docs.
    - `default`: the table (for `many` the array of tables) of a recipe without one; None if there is no default. It
      applies only at the top of a recipe: a nested table always names its component, and kinds of plugins are nested.
    - `many`: whether a recipe has an array of tables.
    """

    name: str
    protocol: type
    meaning: str
    default: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None = None
    many: bool = False

    @property
    def default_use(self) -> str | None:
        """The `use` of a top-level table without one; None if a table must have it."""
        return self.default["use"] if isinstance(self.default, Mapping) else None


HOOKS = 1
"""The version of these hooks and of the contracts, which a plugin's module states as MARGRPO_HOOKS.

It grows when a change breaks sound plugins.
"""
OLDEST = 1
"""The oldest version of the hooks that is still supported."""

hookspec = pluggy.HookspecMarker("margrpo")
hookimpl = pluggy.HookimplMarker("margrpo")


@attrs.frozen
class Entry:
    """A component, named without importing it.

    - `id`: KIND.NAME, such as `selector.uncertain`: the recipe table and the `use` that picks the component.
    - `target`: "package.module:Class".
    - `summary`: one clause for `margrpo components list`.
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
    """Return the components of a plugin; called when the registry is made, so it must not import them."""


@hookspec
def margrpo_kinds() -> list[Kind]:  # type: ignore[empty-body]
    """Return the kinds of components that a plugin adds, for tables nested in its own components.

    The contract of a `Kind` is a Protocol of the plugin, with which a setting is annotated. The hook is called before
    `margrpo_components`. It must not import heavy packages.
    """


@hookspec
def margrpo_commands(app: Any) -> None:
    """Add commands to the command line: `app` is an empty `typer.Typer` whose commands and groups are taken over.

    A `MargrpoError` in a command is printed as a sentence. The hook is called at every start of the command line, so
    commands must import heavy packages in their bodies.
    """


@hookspec
def margrpo_fit(recipe: Any) -> list[str]:  # type: ignore[empty-body]
    """Return the reasons why the components of a sound recipe cannot work together, one sentence each.

    `recipe` is a `Recipe` or `Pretraining`; a sentence begins with the path of its setting, as in "sampler.eta = 0 …".
    Called by `margrpo recipes check` and before every run, so it must not load weights.
    """
