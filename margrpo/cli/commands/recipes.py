"""`margrpo recipes`: check, show, schema."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.syntax import Syntax
from rich.text import Text

from margrpo.cli.arguments import RecipeFile, Sets, sound
from margrpo.cli.exits import REFUSED, tell_error, with_error_report
from margrpo.cli.terminal import out
from margrpo.errors import MargrpoError
from margrpo.recipe import Pretraining, Recipe
from margrpo.recipe.explain import explain
from margrpo.recipe.explain import schema as recipe_schema
from margrpo.recipe.presence import not_here

app = typer.Typer(help="Check and explain recipes.", no_args_is_help=True)


@app.command()
@with_error_report
def check(
    recipes: Annotated[list[Path], typer.Argument(metavar="RECIPE...", help="Recipe files.", show_default=False)],
    sets: Sets = None,
) -> None:
    """Say everything that is wrong with recipes; loads no weights."""
    broken = 0
    for path in recipes:
        try:
            recipe = sound(path, sets)
        except MargrpoError as error:
            tell_error(error)
            broken += 1
        else:
            out().print(Text.assemble(("ok", "bold green"), f"  {path}  ", (what_it_is(recipe), "dim")), soft_wrap=True)
            if absent := not_here(recipe):
                out().print(Text(f"    not here yet: {', '.join(absent)}", "dim"), soft_wrap=True)
    if broken:
        raise typer.Exit(REFUSED)


@app.command()
@with_error_report
def show(recipe: RecipeFile, sets: Sets = None) -> None:
    """Print a recipe with every default written out, and what each value means."""
    text = explain(sound(recipe, sets))
    console = out()
    if console.is_terminal:
        console.print(Syntax(text, "toml", theme="ansi_dark").highlight(text), soft_wrap=True, end="")
    else:
        typer.echo(text, nl=False)


@app.command()
@with_error_report
def schema() -> None:
    """Print the JSON schema of recipes, from which an editor completes and checks."""
    typer.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))


def what_it_is(recipe: Recipe | Pretraining) -> str:
    """A few words on a sound recipe."""
    what = "pre-training" if isinstance(recipe, Pretraining) else "training"
    return f"{what}, {recipe.run.steps} steps" + (f": {recipe.title}" if recipe.title else "")
