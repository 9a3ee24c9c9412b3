"""`margrpo plugins`: list, check, new."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from margrpo.cli.exits import REFUSED
from margrpo.cli.terminal import out
from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.plugin import Failure, Plugin, origin
from margrpo.plugin.registry import CHOICE, registry
from margrpo.recipe.messages import nearest

app = typer.Typer(help="List and check plugins, and write a new one.", no_args_is_help=True)


def names_beginning(incomplete: str) -> list[str]:
    """The names of plugins that complete a word."""
    found = registry()
    names = [each.name for each in found.plugins] + [each.plugin for each in found.failures]
    return [name for name in names if name.startswith(incomplete)]


def kinds_beginning(incomplete: str) -> list[str]:
    """The kinds with a template that complete a word."""
    from margrpo.cli.new_plugin import KINDS

    return [name for name in KINDS if name.startswith(incomplete)]


@app.command("list")
def list_plugins() -> None:
    """List every plugin with its components, and every plugin that failed to load with the cause and a remedy.

    Example: margrpo plugins list
    """
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


@app.command()
def check(
    plugin: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The name of a plugin, or of its distribution.", autocompletion=names_beginning
        ),
    ],
    download: Annotated[bool, typer.Option("--download", help="Let the checks fetch published weights.")] = False,
) -> None:
    """Check every component of a plugin against the promises of its kind.

    Example: margrpo plugins check margrpo-example

    A plugin that fails to load is shown with the cause, the place in its code, and a remedy.
    """
    found = registry()
    refuse_failed(plugin)
    names = [name for each in found.plugins for name in (each.name, each.distribution)]
    if plugin not in names:
        raise PluginError(f"there is no plugin {plugin!r}; {nearest(plugin, names)}")
    # A process that imports torch first: annotations then hold real tensors, whose shapes can be checked.
    script = f"import torch; from margrpo.cli.conformance_report import report; report({plugin!r})"
    environment = {**os.environ, **({} if download else {"HF_HUB_OFFLINE": "1"})}
    if subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode:
        raise typer.Exit(REFUSED)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the package, as in margrpo-mine.")],
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="The kind of the component.", autocompletion=kinds_beginning)
    ] = "reward",
    into: Annotated[
        Path, typer.Option("--in", metavar="DIR", help="The folder in which the package is written.")
    ] = Path(),
) -> None:
    """Write a new plugin: a package with one component, ready to install and to test.

    Example: margrpo plugins new margrpo-mine --kind reward
    """
    from margrpo.cli.new_plugin import write

    folder = write(name, kind, into)
    out().print(Text.assemble(("written", "bold green"), f"  {folder}"), soft_wrap=True)
    for step in (f"pip install -e {folder}", "margrpo plugins list", f"pytest {folder}"):
        out().print(f"  {step}", style="dim", soft_wrap=True, markup=False)


def refuse_failed(plugin: str) -> None:
    """Show where a plugin failed to load, and exit."""
    failures = [each for each in registry().failures if plugin in (each.plugin, each.distribution)]
    for failure in failures:
        show_failure(failure)
        for line in failure.where:
            out().print(Text(f"        at: {line}", "dim"), soft_wrap=True)
    if failures:
        raise typer.Exit(REFUSED)


def table_of(plugins: list[Plugin]) -> Table:
    """A table with a row for each plugin."""
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
    """The components, kinds and hooks of a plugin, in words."""
    parts = [f"{kind}: {', '.join(offered(e) for e in plugin.entries if e.kind == kind)}" for kind in kinds_of(plugin)]
    parts += [f"the kind {kind.name}" for kind in plugin.kinds]
    parts += [hook for hook in ("commands", "rules") if hasattr(plugin.module, HOOK_OF[hook])]
    return escape("; ".join(parts)) or "[dim]nothing[/]"


def offered(entry: Entry) -> str:
    """The name of a component, with a note where two plugins offer it and neither is used."""
    return f"{entry.name} (offered by two plugins, so not used)" if registry().contested(entry) else entry.name


HOOK_OF = {"commands": "margrpo_commands", "rules": "margrpo_fit"}


def kinds_of(plugin: Plugin) -> list[str]:
    """The kinds of a plugin's components, in the order of its entries."""
    return list(Counter(entry.kind for entry in plugin.entries))


def show_failure(failure: Failure) -> None:
    """Print why a plugin failed to load, and the remedy."""
    head = f"{failure.plugin} of {failure.distribution}" + (f" {failure.version}" if failure.version else "")
    out().print(Text.assemble(("failed", "bold red"), f"  {head}: {failure.cause}"), soft_wrap=True)
    if failure.remedy:
        out().print(Text.assemble(("        what to do: ", "dim"), failure.remedy), soft_wrap=True)
