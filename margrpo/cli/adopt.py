"""The form of every command, built-in or a plugin's: errors end in sentences, and help shows flags as flags."""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import CommandInfo, DefaultPlaceholder, TyperInfo

from margrpo.cli.exits import with_error_report


class PlainCommand(TyperCommand):
    """A command whose help names values, leaves out Python types and fills the lines of the terminal."""

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self.help = filled(self.help)

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, each with its plain form."""
        return [plain(param, ctx) for param in super().get_params(ctx)]


class PlainGroup(TyperGroup):
    """A group of commands whose help names values and leaves out Python types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, each with its plain form."""
        return [plain(param, ctx) for param in super().get_params(ctx)]


def filled(text: str | None) -> str | None:
    """A help text with one line for each paragraph, so that the terminal's width and not the source's breaks it."""
    return text and "\n\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))


def plain(param: Any, ctx: Any) -> Any:
    """The parameter without the Python types that Typer shows in help, such as `<bool>` and `<list[Path]>`."""
    type_in_help = getattr(param, "display_type_rich", None)
    if param.param_type_name == "argument":
        param.display_type_rich = lambda ctx: ""
    elif param.is_flag or param.count:
        param.metavar = ""
    elif param.metavar is None and type_in_help is not None:
        words = type_in_help(ctx).strip("<.>").removeprefix("list[").removesuffix("]")
        param.metavar = words.removesuffix(" range")
    return param


def adopt(app: typer.Typer) -> None:
    """Give every command of an app its error report and plain help, in groups within groups too."""
    if app.registered_callback is not None:
        adopt_one(app.registered_callback)
    for command in app.registered_commands:
        adopt_one(command)
        if command.cls in (None, TyperCommand):
            command.cls = PlainCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            adopt(group.typer_instance)
            if isinstance(group.cls, DefaultPlaceholder) and isinstance(
                group.typer_instance.info.cls, DefaultPlaceholder
            ):
                group.cls = PlainGroup


def adopt_one(command: CommandInfo | TyperInfo) -> None:
    """Let one function report its errors."""
    if command.callback is not None:
        command.callback = with_error_report(command.callback)
