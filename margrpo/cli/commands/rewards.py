"""`margrpo rewards`: list, test, serve."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from margrpo.cli.arguments import Sets, recipe_of, sound
from margrpo.cli.exits import REFUSED
from margrpo.cli.terminal import err, facts, out
from margrpo.cli.threads import settle_threads
from margrpo.contracts import Reward
from margrpo.errors import MargrpoError, RecipeError
from margrpo.plugin import from_file
from margrpo.plugin.registry import registry
from margrpo.recipe import Recipe
from margrpo.recipe.override import OverrideError, apply_overrides, parse_override
from margrpo.recipe.requirements import require_all
from margrpo.recipe.structure import component_of

app = typer.Typer(help="List, test and serve rewards.", no_args_is_help=True)
Given = Annotated[str, typer.Argument(metavar="RECIPE-OR-NAME", help="A recipe with rewards, or the name of a reward.")]


@app.command("list")
def list_rewards() -> None:
    """List every reward with its range, the fields of a prompt that it reads, and its parameters.

    Example: margrpo rewards list
    """
    from margrpo.contracts import Reward

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("reward", "range", "reads", "parameters", "what it is"):
        table.add_column(name, no_wrap=name != "what it is")
    found = registry()
    for entry in found.entries("reward"):
        traits = None
        try:
            made: Reward = found.load(entry)()
            traits = made.traits
        except (MargrpoError, TypeError):  # a setting without a default
            pass
        row = (
            ("by its settings", "", "")
            if traits is None
            else (
                f"{traits.low:g} to {traits.high:g}",
                ", ".join(traits.reads) or "–",
                f"{traits.parameters:,}" if traits.parameters else "–",
            )
        )
        table.add_row(f"[bold cyan]{entry.name}[/]", *row, entry.summary)
    out().print(table)


@app.command("test")
def prove(given: Given, sets: Sets = None) -> None:
    """Test a reward on the images that it ships, whose scores are known, and measure its time.

    Example: margrpo rewards test shapes
    """
    rewards = rewards_of(given, sets)
    from margrpo.evaluate.self_test import self_test

    settle_threads()
    failed = 0
    for reward in rewards:
        with err().status("scoring"):
            found = self_test(reward)
        out().print(Text(found.name, "bold cyan"))
        for each in found.cases:
            word, style = ("ok", "green") if each.holds else ("fail", "bold red")
            low, high = each.case.low, each.case.high
            must = f"must be {low:g}" + (f" to {high:g}" if low < high else "")
            line = Text.assemble("  ", (f"{word:<5}", style), f"{each.case.what}: {each.score:g}", (f"  {must}", "dim"))
            out().print(line, soft_wrap=True)
            failed += not each.holds
        if not found.cases:
            out().print(Text("  the reward ships no images whose scores are known", "dim"))
        took = "not measured: the reward ships no images, and cannot score noise"
        if found.seconds is not None:
            took = f"{1000 * found.seconds:.3g} ms an image, {found.images} at once, the median of {found.times}"
        facts([("time", took)])
    if failed:
        raise typer.Exit(REFUSED)


@app.command()
def serve(
    given: Given,
    sets: Sets = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="The port to listen on.")] = 8700,
    token: Annotated[
        str, typer.Option(metavar="VARIABLE", help="The environment variable that holds the token.")
    ] = "MARGRPO_TOKEN",
    device: Annotated[str, typer.Option(metavar="DEVICE", help='The device: "auto", "cpu" or "cuda:N".')] = "auto",
    seconds: Annotated[float, typer.Option(metavar="S", min=0.1, help="Seconds that one request may take.")] = 60.0,
    images: Annotated[int, typer.Option(metavar="N", min=1, help="Images in one request, at most.")] = 256,
) -> None:
    """Serve rewards over HTTP to runs on other machines, whose recipes ask with `use = "http"`.

    Example: margrpo rewards serve shapes --port 8700

    A request from another machine needs a token: put it into the environment variable on both sides.
    """
    rewards = rewards_of(given, sets)
    from margrpo.cli.serving import run, token_of

    run(rewards, host=host, port=port, token=token_of(token, host), device=device, seconds=seconds, images=images)


def rewards_of(given: str, sets: list[str] | None) -> tuple[Reward, ...]:
    """The rewards, after a check that their files and packages are there; imports no torch."""
    path = Path(given)
    is_name = from_file.names_file(given) or any(entry.name == given for entry in registry().entries("reward"))
    is_recipe = path.exists() and not is_name
    rewards = of_recipe(path, sets) if is_recipe else (by_name(given, sets or []),)
    for reward in rewards:
        require_all(reward)
    return rewards


def of_recipe(path: Path, sets: list[str] | None) -> tuple[Reward, ...]:
    """The rewards of a recipe, or the measure of a recipe for pre-training."""
    recipe = sound(recipe_of(path), sets, to_draw=True)
    return recipe.reward if isinstance(recipe, Recipe) else (recipe.measure,)


def by_name(name: str, sets: list[str]) -> Reward:
    """The reward of this name, with its default settings where `sets` leaves them."""
    table: dict[str, Any] = {"use": from_file.anchored(name, Path.cwd())}
    try:
        apply_overrides(table, [parse_override(text) for text in sets])
    except OverrideError as error:
        raise RecipeError(name, [str(error)]) from None
    made: Reward = component_of(table, "reward", source=name)
    return made
