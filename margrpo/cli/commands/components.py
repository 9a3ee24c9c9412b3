"""`margrpo components`: list, show."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from margrpo.cli.commands.plugins import show_failure
from margrpo.cli.component_example import example
from margrpo.cli.settings_table import settings_table
from margrpo.cli.terminal import out
from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Kind
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.messages import nearest

app = typer.Typer(help="List and explain the components that are installed.", no_args_is_help=True)


def kinds_beginning(incomplete: str) -> list[str]:
    """The kinds that complete a word."""
    return [name for name in registry().kinds if name.startswith(incomplete)]


def ids_beginning(incomplete: str) -> list[str]:
    """The ids of components that complete a word."""
    return [entry.id for entry in registry().entries() if entry.id.startswith(incomplete)]


@app.command("list")
def list_components(
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="List this kind only.", autocompletion=kinds_beginning, show_default=False),
    ] = None,
) -> None:
    """List every component by kind, and every plugin that failed to load.

    Example: margrpo components list --kind estimator
    """
    found = registry()
    if kind is not None and kind not in found.kinds:
        raise PluginError(f"there is no kind of component named {kind!r}; {nearest(kind, found.kinds)}")
    shown = [each for each in found.kinds.values() if kind in (None, each.name) and found.entries(each.name)]
    width = max((len(entry.name) for each in shown for entry in found.entries(each.name)), default=0)
    for each in shown:
        out().print(Text.assemble((each.name, "bold cyan"), ("  " + each.meaning, "dim")))
        out().print(table_of(each, found, width))
        out().print()
    for failure in found.failures:
        show_failure(failure)


@app.command()
def show(
    component: Annotated[
        str,
        typer.Argument(
            metavar="KIND.NAME", help="A component, as in selector.uncertain.", autocompletion=ids_beginning
        ),
    ],
) -> None:
    """Explain one component: its settings, and how a recipe uses it.

    Example: margrpo components show selector.uncertain
    """
    found = registry()
    kind, _, name = component.partition(".")
    if kind not in found.kinds or not name:
        ids = [entry.id for entry in found.entries()]
        raise PluginError(f"there is no component {component!r}; {nearest(component, ids)}")
    entry = found.find(kind, name)
    cls = found.load(entry)
    console, promise = out(), (cls.__doc__ or entry.summary).strip().splitlines()[0]
    console.print(Text.assemble((entry.id, "bold cyan"), (f"  from {found.distribution(entry)}", "dim")))
    console.print(promise + "\n", markup=False)
    console.print(settings_table(cls, found))
    console.print(Text("\nexample\n", "dim"), end="")
    console.print(example(entry, found), markup=False, soft_wrap=True, end="")


def table_of(kind: Kind, found: Registry, width: int) -> Table:
    """The components of one kind, with the default component marked."""
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(min_width=width + 2, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", no_wrap=True)
    for entry in found.entries(kind.name):
        mark = " [dim](default)[/dim]" if entry.name == kind.default_use else ""
        origin = found.distribution(entry)
        table.add_row(f"  {entry.name}", escape(entry.summary) + mark, "" if origin == "margrpo" else f"from {origin}")
    return table
