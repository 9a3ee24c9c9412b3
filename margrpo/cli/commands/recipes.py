"""`margrpo recipes`: check, show, schema."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.syntax import Syntax
from rich.text import Text

from margrpo.cli.arguments import RecipeFile, Sets, sound
from margrpo.cli.exits import REFUSED, tell_error
from margrpo.cli.terminal import out
from margrpo.errors import MargrpoError
from margrpo.recipe import Pretraining, Recipe
from margrpo.recipe.explain import explain
from margrpo.recipe.explain import schema as recipe_schema
from margrpo.recipe.presence import not_here

app = typer.Typer(help="Check and explain recipes.", no_args_is_help=True)


@app.command()
def check(
    recipes: Annotated[list[Path], typer.Argument(metavar="RECIPE", help="Recipe files (TOML).", show_default=False)],
    sets: Sets = None,
) -> None:
    """Check recipes and report every mistake at once; no weights are loaded.

    Example: margrpo recipes check recipes/quickstart.toml
    """
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
def show(recipe: RecipeFile, sets: Sets = None) -> None:
    """Print a recipe with every default written out and the meaning of each value.

    Example: margrpo recipes show recipes/quickstart.toml --set run.steps=200
    """
    text = explain(sound(recipe, sets))
    console = out()
    if console.is_terminal:
        console.print(Syntax(text, "toml", theme="ansi_dark").highlight(text), soft_wrap=True, end="")
    else:
        typer.echo(text, nl=False)


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes, with which an editor completes and checks them.

    Example: margrpo recipes schema
    """
    typer.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))


def what_it_is(recipe: Recipe | Pretraining) -> str:
    """The sort of a recipe, its steps and its title."""
    what = "pre-training" if isinstance(recipe, Pretraining) else "training"
    return f"{what}, {recipe.run.steps} steps" + (f": {recipe.title}" if recipe.title else "")
