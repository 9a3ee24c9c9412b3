"""`margrpo plugins`: what is installed, whether it is sound, and a new one to begin with."""

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

from margrpo.cli.exits import REFUSED, with_error_report
from margrpo.cli.terminal import out
from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.plugin import Failure, Plugin, origin
from margrpo.plugin.registry import CHOICE, registry
from margrpo.recipe.messages import nearest

app = typer.Typer(help="List, check and begin plugins.", no_args_is_help=True)


def names_beginning(incomplete: str) -> list[str]:
    """Completions of a plugin's name."""
    found = registry()
    names = [each.name for each in found.plugins] + [each.plugin for each in found.failures]
    return [name for name in names if name.startswith(incomplete)]


def kinds_beginning(incomplete: str) -> list[str]:
    """Completions of a kind that a new plugin can begin with."""
    from margrpo.cli.new_plugin import KINDS

    return [name for name in KINDS if name.startswith(incomplete)]


@app.command("list")
@with_error_report
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


@app.command()
@with_error_report
def check(
    plugin: Annotated[
        str, typer.Argument(metavar="NAME", help="The plugin, or its distribution.", autocompletion=names_beginning)
    ],
    download: Annotated[
        bool, typer.Option("--download", help="Let its components fetch published weights for the checks.")
    ] = False,
) -> None:
    """Hold every component of a plugin to the promises of its kind, or say where the plugin fails to load."""
    found = registry()
    refuse_failed(plugin)
    names = [name for each in found.plugins for name in (each.name, each.distribution)]
    if plugin not in names:
        raise PluginError(f"there is no plugin {plugin!r}; {nearest(plugin, names)}")
    # A process in which torch comes first: annotations then hold the real tensors, whose shapes can be checked.
    script = f"import torch; from margrpo.cli.conformance import tell_promises; tell_promises({plugin!r})"
    environment = {**os.environ, **({} if download else {"HF_HUB_OFFLINE": "1"})}
    if subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode:
        raise typer.Exit(REFUSED)


@app.command()
@with_error_report
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the package, as in margrpo-mine.")],
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="The kind of its component.", autocompletion=kinds_beginning)
    ] = "reward",
    into: Annotated[Path, typer.Option("--in", metavar="DIR", help="The folder to put it into.")] = Path(),
) -> None:
    """Write a package with one component, which installs, passes its own tests and is listed, untouched."""
    from margrpo.cli.new_plugin import write

    folder = write(name, kind, into)
    out().print(Text.assemble(("written", "bold green"), f"  {folder}"), soft_wrap=True)
    for step in (f"pip install -e {folder}", "margrpo plugins list", f"pytest {folder}"):
        out().print(f"  {step}", style="dim", soft_wrap=True, markup=False)


def refuse_failed(plugin: str) -> None:
    """Say where a plugin that could not be had went wrong, and end."""
    failures = [each for each in registry().failures if plugin in (each.plugin, each.distribution)]
    for failure in failures:
        show_failure(failure)
        for line in failure.where:
            out().print(Text(f"        at: {line}", "dim"), soft_wrap=True)
    if failures:
        raise typer.Exit(REFUSED)


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
    parts = [f"{kind}: {', '.join(offered(e) for e in plugin.entries if e.kind == kind)}" for kind in kinds_of(plugin)]
    parts += [f"the kind {kind.name}" for kind in plugin.kinds]
    parts += [hook for hook in ("commands", "rules") if hasattr(plugin.module, HOOK_OF[hook])]
    return escape("; ".join(parts)) or "[dim]nothing[/]"


def offered(entry: Entry) -> str:
    """The name of what a plugin offers, and whether it cannot be had because others offer it too."""
    return f"{entry.name} (offered twice, so nobody's)" if registry().contested(entry) else entry.name


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
