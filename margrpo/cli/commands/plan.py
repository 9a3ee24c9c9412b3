"""`margrpo plan`."""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from margrpo.cli.arguments import RecipeFile, Sets, training
from margrpo.cli.terminal import out, size
from margrpo.plan.counts import Plan
from margrpo.plan.counts import plan as plan_of
from margrpo.plan.memory import GIB, SHARE_OF_GPU, Memory, memory, replay_bytes, trained
from margrpo.recipe import Recipe
from margrpo.records import Count


def plan(
    recipe: RecipeFile,
    sets: Sets = None,
    gpu: Annotated[
        float | None,
        typer.Option(
            "--gpu",
            metavar="GIB",
            min=1,
            help="Report whether the run fits a GPU with this memory, in GiB.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Predict what a training step computes and stores, and its peak memory; no weights are loaded.

    Example: margrpo plan recipes/quickstart.toml --gpu 24
    """
    checked = training(recipe, sets)
    if gpu is not None and checked.run.budget is None:
        checked = training(recipe, [*(sets or []), f"run.budget={gpu / SHARE_OF_GPU}"])
    show(checked, out(), gpu)


def show(checked: Recipe, console: Console, gpu: float | None = None) -> None:
    """Print the plan."""
    counted = plan_of(checked)
    console.print(step_table(checked, counted))
    console.print()
    console.print(cost_table(counted))
    console.print()
    estimate = memory(checked)
    console.print(memory_table(estimate))
    if gpu is not None:
        console.print()
        console.print(fitting_words(estimate, gpu))


def step_table(recipe: Recipe, counted: Plan) -> Table:
    """A table of what a step computes and stores."""
    table, run, of = titled("a step"), recipe.run, recipe.policy.footprint()
    parts = f"backbone {of.backbone.parameters:,}, head {of.head.parameters:,}"
    kept = f"of which {counted.kept_stages} are trained on; unknown before each: {unknown_words(counted)}"
    rows = [
        ("steps", f"{run.steps:,}, each a rollout and {plural(counted.updates, 'optimizer update')}"),
        ("images", f"{counted.images:,} = {counted.prompts:,} prompts × {recipe.prompts.group:,}"),
        ("AR steps", f"{len(counted.stages)}, {kept}"),
        ("diffusion steps", f"{counted.diffusion_steps}, of which {counted.transitions} are trained on"),
        ("stored for replay", size(replay_bytes(recipe, counted.stages, counted.images))),
        ("parameters", f"{of.parameters:,} ({parts}), of which {sum(trained(recipe, of)):,} are trained"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def cost_table(counted: Plan) -> Table:
    """A table of the head's evaluations and the backbone's passes in a step."""
    table = titled("part of a step", "head evaluations", "backbone passes")
    guided = {True: " on both halves of the guidance", False: ""}
    update = "update" + guided[counted.guided_update]
    table.add_row("rollout" + guided[counted.guided_rollout], words(counted.rollout), str(counted.backbone_rollout))
    if counted.trajectories.most:
        table.add_row("trajectories", words(counted.trajectories), "")
    table.add_row(update, words(counted.update), words(counted.backbone_update) + ", with gradient")
    if counted.reference.most:
        table.add_row("reference of the penalty", words(counted.reference), words(counted.backbone_reference))
    table.caption = (
        "An evaluation is one token of one chain at one diffusion step; a pass is one of all images of the step. "
        "The update's figures hold when every image has an advantage."
    )
    table.caption_justify = "left"
    return table


def memory_table(estimate: Memory) -> Table:
    """A table of the peak memory and its parts."""
    table = titled("memory", "at its peak", "made of")
    table.columns[1].justify = "right"
    for part in estimate.held:
        table.add_row(part.name, size(part.bytes), part.formula)
    largest = max(estimate.phases, key=lambda part: part.bytes)
    for part in estimate.phases:
        marked = part is largest
        shown = size(part.bytes) if marked else f"[dim]({size(part.bytes)})[/dim]"
        table.add_row(part.name, shown, part.formula, end_section=part is estimate.phases[-1])
    table.add_row("peak", f"[bold]{size(estimate.peak)}[/bold]", "what is held, and the largest phase")
    table.caption = "Codec, rewards and torch itself come on top; what is in brackets comes at another time."
    table.caption_justify = "left"
    return table


def fitting_words(estimate: Memory, gpu: float) -> str:
    """A sentence that says whether the peak fits a GPU of `gpu` GiB."""
    left = gpu * GIB - estimate.peak
    if left >= 0:
        return f"On a GPU of {gpu:g} GiB this leaves {size(left)} for codec, rewards and torch itself."
    return (
        f"It does not fit a GPU of {gpu:g} GiB, by {size(-left)}: lower run.budget, prompts.prompts, prompts.group or "
        "run.eval_prompts."
    )


def unknown_words(counted: Plan) -> str:
    """Unknown tokens before each AR step, cut where there are many."""
    counts = [str(stage.unknown) for stage in counted.stages]
    return ", ".join(counts if len(counts) <= 16 else [*counts[:3], "…", *counts[-3:]])


def titled(*columns: str) -> Table:
    """An empty table with these columns; the first names the rows."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold cyan")
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=False, style="" if place else "bold")
    if len(columns) == 1:
        table.add_column("")
    return table


def words(count: Count) -> str:
    """A count in words: exact, on average, or as a bound."""
    if count.is_fixed:
        return f"{count.most:,}"
    if count.mean is None:
        return f"at most {count.most:,}"
    return f"{count.mean:,.0f} on average, at most {count.most:,}"


def plural(count: int, noun: str) -> str:
    """A number with its noun, in the plural unless the number is 1."""
    return f"{count} {noun}" + "s" * (count != 1)
