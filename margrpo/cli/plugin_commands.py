"""Commands that plugins add to the command line."""

import typer

from margrpo.cli.adopt import adopt
from margrpo.errors import PluginError
from margrpo.plugin.plugin import Plugin
from margrpo.plugin.registry import Registry

Named = typer.models.CommandInfo | typer.models.TyperInfo


def add_commands(app: typer.Typer, found: Registry) -> None:
    """Let every plugin add its commands; a plugin whose hook fails, or whose name is taken, is listed as failed."""
    for plugin, hook in list(found.commands()):
        brought = typer.Typer()
        try:
            hook(app=brought)
            refuse_taken(app, brought)
        except (Exception, SystemExit) as error:
            found.fail(plugin, error)
        else:
            take_over(app, brought, plugin)


def take_over(app: typer.Typer, brought: typer.Typer, plugin: Plugin) -> None:
    """Add a plugin's commands and groups under a heading of the plugin, with margrpo's error report and help."""
    heading = f"Commands of {plugin.distribution}"
    adopt(brought)
    for command in brought.registered_commands:
        command.rich_help_panel = heading
        app.registered_commands.append(command)
    for group in brought.registered_groups:
        group.rich_help_panel = heading
        app.registered_groups.append(group)


def refuse_taken(app: typer.Typer, brought: typer.Typer) -> None:
    """Raise `PluginError` where a command or group has no name, or a name that another one has."""
    taken = names(app)
    for name in names(brought):
        if name in taken:
            raise PluginError(f"its command {name!r} is there already; give it another name")


def names(app: typer.Typer) -> set[str]:
    """The names of all commands and groups of an app."""
    every: list[Named] = [*app.registered_commands, *app.registered_groups]
    return {name_of(each) for each in every}


def name_of(each: Named) -> str:
    """The name by which a command or group is called."""
    if isinstance(each.name, str):
        return each.name
    function = each.callback
    if callable(function):
        return function.__name__.replace("_", "-")
    inner = getattr(each, "typer_instance", None)
    given = inner.info.name if inner is not None else None
    if not isinstance(given, str):
        raise PluginError("one of its groups of commands has no name; give add_typer a name")
    return given
