"""`margrpo plugins`: what is installed, whether it is sound, and a new one to begin with."""

from collections import Counter

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from margrpo.cli.terminal import out
from margrpo.cli.trouble import spoken
from margrpo.plugin.plugin import Failure, Plugin, origin
from margrpo.plugin.registry import CHOICE, registry

app = typer.Typer(help="List, check and begin plugins.", no_args_is_help=True)


@app.command("list")
@spoken
def list_plugins() -> None:
    """List every plugin with what it brings, and those that could not be had with the cause and what to do."""
    found = registry()
    foreign = [plugin for plugin in found.plugins if plugin.distribution != "margrpo"]
    if foreign:
        out().print(table_of(foreign))
    elif not found.failures and not found.left_out:
        out().print("no plugins are installed; `margrpo plugins new NAME` begins one", markup=False)
    for failure in found.failures:
        show_failure(failure)
    if found.left_out:
        names = ", ".join(f"{point.name} of {origin(point)[0]}" for point in found.left_out)
        out().print(Text.assemble(("left out", "bold yellow"), f" by {CHOICE}: {names}"), soft_wrap=True)


def table_of(plugins: list[Plugin]) -> Table:
    """One row a plugin."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("plugin", "distribution", "version"):
        table.add_column(name, no_wrap=True)
    table.add_column("brings", overflow="fold")
    for plugin in plugins:
        table.add_row(
            f"[bold cyan]{escape(plugin.name)}[/]", escape(plugin.distribution), escape(plugin.version), brought(plugin)
        )
    return table


def brought(plugin: Plugin) -> str:
    """What a plugin brings, in words."""
    parts = [f"{kind}: {', '.join(e.name for e in plugin.entries if e.kind == kind)}" for kind in kinds_of(plugin)]
    parts += [f"the kind {kind.name}" for kind in plugin.kinds]
    parts += [hook for hook in ("commands", "rules") if hasattr(plugin.module, HOOK_OF[hook])]
    return escape("; ".join(parts)) or "[dim]nothing[/]"


HOOK_OF = {"commands": "margrpo_commands", "rules": "margrpo_fit"}


def kinds_of(plugin: Plugin) -> list[str]:
    """The kinds of a plugin's components, in the order of its entries."""
    return list(Counter(entry.kind for entry in plugin.entries))


def show_failure(failure: Failure) -> None:
    """A plugin that could not be had."""
    head = f"{failure.plugin} of {failure.distribution}" + (f" {failure.version}" if failure.version else "")
    out().print(Text.assemble(("failed", "bold red"), f"  {head}: {failure.cause}"), soft_wrap=True)
    if failure.remedy:
        out().print(Text.assemble(("        what to do: ", "dim"), failure.remedy), soft_wrap=True)
