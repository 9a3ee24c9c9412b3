"""`margrpo bench`: step, rollout, head, scaling."""

import json
import os
import platform
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer
from rich.table import Table

from margrpo.cli.arguments import RecipeFile, Sets, loadable, refuse_unwritable, training
from margrpo.cli.commands.plan import plural, titled
from margrpo.cli.exits import with_error_report
from margrpo.cli.terminal import out, size, tell
from margrpo.cli.threads import settle_threads
from margrpo.errors import RunError
from margrpo.recipe import Recipe
from margrpo.recipe.fit import check_geometry

if TYPE_CHECKING:
    from margrpo.evaluate.bench import Bench, Counts, Figures, Point, StepComparison

app = typer.Typer(help="Measure what a training step costs on this machine.", no_args_is_help=True)


class Against(StrEnum):
    """What the update can be compared with."""

    dense = "dense"


RandomWeights = Annotated[
    bool, typer.Option("--random-weights", help="Draw all weights at random; no checkpoint is needed.")
]
Images = Annotated[
    int | None, typer.Option(min=1, help="The first images of a step; all unless given.", show_default=False)
]
Trajectories = Annotated[
    int | None, typer.Option(min=1, help="Chains per token, K; the recipe's unless given.", show_default=False)
]
Repeats = Annotated[int, typer.Option(min=1, help="Timed runs, of which the median counts.")]
Trained = Annotated[
    int | None,
    typer.Option(
        "--ar-steps",
        min=1,
        help="Trained AR steps, evenly spread over those of an image; only these are drawn.",
        show_default=False,
    ),
]
To = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")]


@app.command()
@with_error_report
def step(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    ar_steps: Trained = None,
    trajectories: Trajectories = None,
    against: Annotated[
        Against | None,
        typer.Option(
            help="Compare with the plain way: the head on all tokens for all chains, one graph.", show_default=False
        ),
    ] = None,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure the update: backbone, head, and their backward passes, without the optimizer's step."""
    made = bench(recipe, sets, to, random_weights, trajectories=trajectories, images=images, ar_steps=ar_steps)
    from margrpo.evaluate import bench as measure

    if against is None:
        figures, counted = measure.step(made, repeats=repeats)
        found = figures.as_dict()
    else:
        compared, counted = measure.step_against_dense(made, repeats=repeats)
        figures, found = compared.ours, compared.ours.as_dict() | compared.as_dict()
    out().print(table("the update", {"update": figures}, f"{counts_words(counted)} {machine_words(made)}"))
    if against is not None:
        out().print()
        out().print(table("the plain way", {"plain": compared.dense}, "Head on all tokens for all chains, one graph."))
        out().print()
        out().print(comparison_words(compared))
    write(to, {**found, "counts": vars(counted), **machine(made, figures)})
    if against is not None and not compared.agrees:
        allowed = compared.limits["gradient_relative_error"]
        raise RunError(
            "the update and the plain way do not agree: the gradient differs by "
            f"{compared.gradient_relative_error:.1e} of its norm (allowed: {allowed:g}), the loss by "
            f"{compared.loss_relative_error:.1e}; one of them is wrong, or a component answers differently each time"
        )


@app.command()
@with_error_report
def rollout(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    ar_steps: Annotated[
        int | None,
        typer.Option("--ar-steps", min=1, help="AR steps of an image; the recipe's unless given.", show_default=False),
    ] = None,
    trajectories: Trajectories = None,
    training_: Annotated[
        bool, typer.Option("--training", help="Record what an update needs: virtual draws and trajectories.")
    ] = False,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure how images are drawn, and which share of the FLOPs is needed."""
    made = bench(recipe, sets, to, random_weights, unmasking=ar_steps, trajectories=trajectories, images=images)
    from margrpo.evaluate import bench as measure

    drawn = measure.rollout(made, repeats=repeats, training=training_)
    share = drawn.useful_share
    useful = "" if share is None else f" Of what backbone and head did, {share:.1%} was needed."
    of = made.pipeline
    size_of = f"{len(made.prompts)} images in {of.unmasking.steps} AR steps of {of.sampler.steps} diffusion steps."
    out().print(table("the rollout", {"rollout": drawn.figures}, f"{size_of}{useful} {machine_words(made)}"))
    write(to, {**drawn.figures.as_dict(), "useful_share": share, **machine(made, drawn.figures)})


@app.command()
@with_error_report
def head(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure the head alone: one diffusion step of all tokens, forwards and backwards, for K = 1 to 32."""
    made = bench(recipe, sets, to, random_weights, images=images)
    from margrpo.evaluate import bench as measure

    found = measure.head(made, repeats=repeats)
    tokens = len(made.prompts) * made.session.model.tokens
    rows = {f"K = {chains}": figures for chains, figures in found.items()}
    out().print(table("the head", rows, f"{tokens:,} tokens at one diffusion step. {machine_words(made)}"))
    write(
        to,
        {
            "chains": {chains: each.as_dict() for chains, each in found.items()},
            **machine(made, next(iter(found.values()))),
        },
    )


@app.command()
@with_error_report
def scaling(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    ar_steps: Trained = None,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure the update as K, the tokens that carry loss, the trained AR steps and the images grow."""
    made = bench(recipe, sets, to, random_weights, images=images, ar_steps=ar_steps)
    from margrpo.evaluate import bench as measure

    points: list[dict[str, Any]] = []
    for group in measure.scaling(made, repeats=repeats):
        out().print(scaling_table(group))
        points += [
            {"varied": each.varied, "value": each.value, "head_evaluations": each.evaluations, **each.figures.as_dict()}
            for each in group
        ]
        write(to, {"points": points, **machine(made, group[0].figures)})
    out().print(
        "K chains per token, n tokens that carry loss, s trained AR steps, B images that carry loss; ratios are to the "
        "first of each.",
        style="dim",
    )


def bench(
    recipe: Path,
    sets: list[str] | None,
    to: Path | None,
    random_weights: bool,
    *,
    unmasking: int | None = None,
    trajectories: int | None = None,
    **sizes: int | None,
) -> "Bench":
    """The recipe assembled at a size, once it is known that the figures can be written."""
    hush_profiler()
    if to is not None:
        refuse_unwritable(to, ".json", "--json")
    random = ["policy.weights=random", "codec.weights=random"] * random_weights
    more = [] if trajectories is None else [f"estimator.trajectories={trajectories}"]
    checked = training(recipe, [*random, *(sets or []), *more])
    if unmasking is not None:
        checked = shortened(checked, unmasking)
        check_geometry(checked, source=str(recipe))
    checked = loadable(checked, recipe)
    from margrpo.evaluate.bench import Bench

    settle_threads()
    return Bench(checked, progress=tell, **sizes)


def shortened(recipe: Recipe, ar_steps: int) -> Recipe:
    """The recipe with other AR steps to an image; no more of them are trained on than there are."""
    unmasking: Any = recipe.unmasking
    timesteps: Any = recipe.timesteps
    if getattr(timesteps, "ar_steps", 0) > ar_steps:
        timesteps = attrs.evolve(timesteps, ar_steps=ar_steps)
    changed: Recipe = attrs.evolve(  # type: ignore[misc]  # a component is an attrs class
        recipe, unmasking=attrs.evolve(unmasking, steps=ar_steps), timesteps=timesteps
    )
    return changed


def hush_profiler() -> None:
    """Let torch's profiler, which counts the memory, write nothing of its own; torch reads this when it is loaded."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def table(title: str, found: "dict[str, Figures]", caption: str) -> Table:
    """A row for each part and for the whole of each thing that was measured."""
    shown = titled(title, "seconds", "GFLOP", "GFLOP/s", "of the peak", "peak memory")
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, figures in found.items():
        if len(found) == 1:
            for part, (seconds, flops) in figures.cost.parts.items():
                share = figures.peaks.share(part, seconds, flops)
                shown.add_row(part, *speed(seconds, flops), f"{share:.0%}" if flops else "", "", style="dim")
            shown.add_section()
        cost = figures.cost
        shown.add_row(name, *speed(cost.seconds, cost.flops), f"{figures.peak_share:.0%}", size(cost.peak_bytes))
    shown.caption, shown.caption_justify = caption, "left"
    return shown


def scaling_table(points: "list[Point]") -> Table:
    """A row for each value of a size, beside the first."""
    shown = titled(
        "the update at", "seconds", "ratio", "GFLOP", "of the peak", "peak memory", "ratio", "head evaluations"
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    least = points[0].figures.cost
    for point in points:
        cost = point.figures.cost
        shown.add_row(
            f"{point.varied} = {point.value:,}",
            f"{cost.seconds:.3g}",
            f"{cost.seconds / least.seconds:.2f}",
            f"{cost.flops / 1e9:,.3g}",
            f"{point.figures.peak_share:.0%}",
            size(cost.peak_bytes),
            f"{cost.peak_bytes / least.peak_bytes:.2f}",
            f"{point.evaluations:,}",
        )
    return shown


def speed(seconds: float, flops: float) -> tuple[str, str, str]:
    """Seconds, GFLOP and GFLOP/s."""
    return f"{seconds:.3g}", f"{flops / 1e9:,.3g}", f"{flops / seconds / 1e9:,.3g}" if seconds and flops else ""


def counts_words(counted: "Counts") -> str:
    """What an update touches."""
    plain = (
        f"{plural(counted.images, 'image')} at {plural(counted.ar_steps, 'AR step')} and "
        f"{plural(counted.diffusion_steps, 'diffusion step')}: {counted.selected_tokens:,} selected tokens, "
        f"{counted.head_evaluations:,} evaluations of the head"
    )
    by_formula = counted.flops_by_formula
    return plain + ("." if by_formula is None else f", {by_formula / 1e9:,.3g} GFLOP by formula.")


def comparison_words(compared: "StepComparison") -> str:
    """What came out of the comparison."""
    found = compared.as_dict()
    return (
        f"{found['speedup']:.2f} times faster, {found['memory_ratio']:.2f} of the memory; the loss differs by "
        f"{found['loss_relative_error']:.1e}, the gradient by {found['gradient_relative_error']:.1e} of its norm."
    )


def machine_words(made: "Bench") -> str:
    """Where it was measured."""
    found = machine(made, None)["machine"]
    threads = f", {found['threads']} threads" if found["device"] == "cpu" else ""
    return f"{found['name']}{threads}, backbone in {found['precision']}."


def machine(made: "Bench", figures: "Figures | None") -> dict[str, Any]:
    """The machine, for a JSON file."""
    import torch

    cuda = torch.device(made.pipeline.device).type == "cuda"
    found = {
        "device": made.pipeline.device,
        "name": torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "precision": str(made.pipeline.dtype).removeprefix("torch."),
    }
    if figures is not None:
        found |= {"matmul_peak": figures.peaks.head, "matmul_peak_backbone": figures.peaks.backbone}
    return {"machine": found}


def write(to: Path | None, found: dict[str, Any]) -> None:
    """Write figures as JSON."""
    if to is not None:
        to.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
