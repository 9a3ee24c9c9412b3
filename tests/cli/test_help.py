"""The help of every command, built-in and of a plugin: what it is good for, an example, and no Python types."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from margrpo import hookimpl
from margrpo.cli import app
from margrpo.cli.adopt import filled
from margrpo.cli.plugin_commands import add_commands
from margrpo.plugin.registry import Registry

HEADLESS = re.compile(r"\b(so many|such|those|the same|told|ours|what is|what it)\b|\bis no [a-z]")


def walked(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and group by its path."""
    yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walked(inner, (*path, name))


EVERY = dict(walked(get_command(app)))
COMMANDS = {path: command for path, command in EVERY.items() if not getattr(command, "commands", None)}


def shown(path: str) -> str:
    """The help as a wide terminal shows it."""
    return CliRunner().invoke(app, [*path.split(), "--help"], prog_name="margrpo", env={"COLUMNS": "250"}).output


@pytest.mark.parametrize("path", EVERY)
def test_flags_and_values_are_shown_without_python_types(path: str) -> None:
    assert not re.findall(r"<\w[^>]*>|\bbool\b|list\[", shown(path))


@pytest.mark.parametrize("path", EVERY)
def test_the_first_sentence_says_what_it_is_good_for_and_stands_alone(path: str) -> None:
    first = EVERY[path].help.strip().splitlines()[0]
    assert first.endswith(".")
    assert first[0].isupper()
    assert not HEADLESS.search(first)
    assert first in shown(path)


@pytest.mark.parametrize("path", COMMANDS)
def test_help_has_an_example_that_the_command_can_parse(path: str) -> None:
    (example,) = re.findall(r"^ *Example: margrpo (.*?)\s*$", shown(path), re.MULTILINE)
    assert example.startswith(path)
    COMMANDS[path].make_context(path, shlex.split(example.removeprefix(path)))


class WithCommands:
    @hookimpl
    def margrpo_commands(self, app: typer.Typer) -> None:
        inner = typer.Typer(help="Commands of a plugin.")
        inner.callback()(lambda: None)

        @inner.command()
        def paint(files: list[Path], loud: bool = False, count: Annotated[int, typer.Option(min=1)] = 1) -> None:
            """Paint files."""

        app.add_typer(inner, name="brush")


def test_the_help_of_a_plugins_commands_is_shown_without_python_types() -> None:
    host, found = typer.Typer(), Registry()
    found.register(WithCommands(), "brush")
    host.callback()(lambda: None)
    add_commands(host, found)
    said = CliRunner().invoke(host, ["brush", "paint", "--help"], env={"COLUMNS": "200"}).output
    assert re.search(r"files\.\.\. +\[required\]", said), said
    assert re.search(r"--count +int \[x>=1\]", said), said
    assert "<" not in said


def test_a_paragraph_of_help_is_broken_by_the_terminal_and_not_by_the_source() -> None:
    assert filled("Draws an image.\n\nA long sentence that\nthe source breaks.") == (
        "Draws an image.\n\nA long sentence that the source breaks."
    )
