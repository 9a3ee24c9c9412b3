"""`margrpo doctor`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from margrpo.cli.arguments import Sets, recipe_of, training
from margrpo.cli.exits import REFUSED
from margrpo.cli.terminal import out
from margrpo.cli.threads import settle_threads
from margrpo.errors import RunError
from margrpo.plugin.registry import registry

if TYPE_CHECKING:
    from margrpo.doctor.finding import Finding

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="RECIPE", help="A recipe file (TOML) or the folder of a run, to check too.", show_default=False
        ),
    ] = None,
    sets: Sets = None,
    place: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder that runs will be written to.")
    ] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check this machine, its plugins and a recipe; each line passes, warns, or fails with a remedy.

    Example: margrpo doctor recipes/quickstart.toml

    The exit code is 2 where a check fails.
    """
    if sets and recipe is None:
        raise RunError("--set changes a recipe, but no recipe is given; name it before --set")
    settle_threads()
    findings = []
    for finding in checked(recipe, sets, place):
        findings.append(finding)
        if not as_json:
            show(finding)
    if as_json:
        typer.echo(json.dumps([vars(finding) for finding in findings], indent=2, ensure_ascii=False))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(REFUSED)


def checked(given: Path | None, sets: list[str] | None, place: Path) -> "Iterator[Finding]":
    """The findings, one by one; the checks of a recipe end where it cannot be read."""
    from margrpo.doctor import machine
    from margrpo.doctor import recipe as of_recipe

    for each in machine.checks(registry(), place):
        yield from each.findings()
    if given is None:
        return
    source = recipe_of(given)
    under_test = of_recipe.RecipeUnderTest(lambda: training(source, sets), source, place)
    for each in of_recipe.checks(under_test):
        found = list(each.findings())
        yield from found
        if each.what in ("recipe", "files") and not of_recipe.sound(found):
            return


def show(finding: "Finding") -> None:
    """Print a finding, and its remedy below it."""
    line = Text.assemble((finding.status, STYLES[finding.status]), f"  {finding.what:<14}", finding.said)
    out().print(line, soft_wrap=True)
    if finding.remedy:
        out().print(Text(f"      {'':<14}{finding.remedy}", "dim"), soft_wrap=True)
