"""`margrpo bench`: step, rollout, head, scaling."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from margrpo.cli import bench_tables as tables
from margrpo.cli.arguments import RecipeFile, Sets, evolved, loadable, refuse_unwritable, training
from margrpo.cli.terminal import out, tell, write_figures
from margrpo.cli.threads import hush_profiler, settle_threads
from margrpo.contracts import Estimator, VariesChains
from margrpo.errors import RunError
from margrpo.plugin.registry import registry
from margrpo.recipe import Recipe
from margrpo.recipe.fit import check_geometry

if TYPE_CHECKING:
    from margrpo.evaluate.bench.bench import Bench

app = typer.Typer(help="Measure what a training step costs on this machine.", no_args_is_help=True)


class Against(StrEnum):
    """The methods that an update can be compared with."""

    dense = "dense"


RandomWeights = Annotated[
    bool, typer.Option("--random-weights", help="Draw all weights at random; no checkpoint is needed.")
]
Images = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Measure the first N images of a step. Default: all.", show_default=False),
]
Trajectories = Annotated[
    int | None,
    typer.Option(metavar="K", min=1, help="Chains for each token. Default: the recipe's.", show_default=False),
]
Repeats = Annotated[int, typer.Option(metavar="N", min=1, help="Timed runs, of which the median is shown.")]
Trained = Annotated[
    int | None,
    typer.Option(
        "--ar-steps",
        metavar="N",
        min=1,
        help="Trained AR steps, evenly spread over the image's AR steps; only these are drawn.",
        show_default=False,
    ),
]
To = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures to this file.", show_default=False)
]


@app.command()
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
            metavar="dense",
            help="Compare with the plain method: the head on all tokens for all chains, in one graph.",
            show_default=False,
        ),
    ] = None,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure the seconds, FLOPs and memory of an update: backbone, head and their backward passes.

    Example: margrpo bench step recipes/mar_base.toml --random-weights --images 1 --ar-steps 1

    The optimizer's step is not part of it.
    """
    made = bench(recipe, sets, to, random_weights, trajectories=trajectories, images=images, ar_steps=ar_steps)
    from margrpo.evaluate.bench.against_dense import measure_against_dense
    from margrpo.evaluate.bench.step import measure_step

    if against is None:
        figures, counted = measure_step(made, repeats=repeats)
        found = figures.as_dict()
    else:
        compared, counted = measure_against_dense(made, repeats=repeats)
        figures, found = compared.ours, compared.ours.as_dict() | compared.as_dict()
    out().print(
        tables.table("the update", {"update": figures}, f"{tables.counts_words(counted)} {tables.machine_words(made)}")
    )
    if against is not None:
        out().print()
        out().print(
            tables.table("the plain way", {"plain": compared.dense}, "Head on all tokens for all chains, one graph.")
        )
        out().print()
        out().print(tables.comparison_words(compared))
    write_figures(to, {**found, "counts": vars(counted), **tables.machine(made, figures)})
    if against is not None and not compared.agrees:
        allowed = compared.limits["gradient_relative_error"]
        raise RunError(
            "the update and the plain way do not agree: the gradient differs by "
            f"{compared.gradient_relative_error:.1e} of its norm (allowed: {allowed:g}), the loss by "
            f"{compared.loss_relative_error:.1e}; one of them is wrong, or a component answers differently each time"
        )


@app.command()
def rollout(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    ar_steps: Annotated[
        int | None,
        typer.Option(
            "--ar-steps", metavar="N", min=1, help="AR steps of an image. Default: the recipe's.", show_default=False
        ),
    ] = None,
    trajectories: Trajectories = None,
    training_: Annotated[
        bool, typer.Option("--training", help="Also record what an update needs: virtual draws and trajectories.")
    ] = False,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure the seconds, FLOPs and memory of drawing images, and the share of the FLOPs that is needed.

    Example: margrpo bench rollout recipes/mar_base.toml --random-weights --images 1
    """
    made = bench(recipe, sets, to, random_weights, unmasking=ar_steps, trajectories=trajectories, images=images)
    from margrpo.evaluate.bench.rollout import measure_rollout

    drawn = measure_rollout(made, repeats=repeats, training=training_)
    useful = f" Of what backbone and head did, {drawn.useful_share:.1%} was needed."
    of = made.pipeline
    size_of = f"{len(made.prompts)} images in {of.unmasking.steps} AR steps of {of.sampler.steps} diffusion steps."
    caption = f"{size_of}{useful} {tables.machine_words(made)}"
    out().print(tables.table("the rollout", {"rollout": drawn.figures}, caption))
    write_figures(
        to, {**drawn.figures.as_dict(), "useful_share": drawn.useful_share, **tables.machine(made, drawn.figures)}
    )


@app.command()
def head(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure the head alone: one diffusion step of all tokens, forward and backward, for K = 1 to 32 chains.

    Example: margrpo bench head recipes/mar_base.toml --random-weights --images 1
    """
    made = bench(recipe, sets, to, random_weights, images=images)
    from margrpo.evaluate.bench.head import measure_head

    found = measure_head(made, repeats=repeats)
    tokens = len(made.prompts) * made.session.model.tokens
    rows = {f"K = {chains}": figures for chains, figures in found.items()}
    caption = f"{tokens:,} tokens at one diffusion step. {tables.machine_words(made)}"
    out().print(tables.table("the head", rows, caption))
    write_figures(
        to,
        {
            "chains": {chains: each.as_dict() for chains, each in found.items()},
            **tables.machine(made, next(iter(found.values()))),
        },
    )


@app.command()
def scaling(
    recipe: RecipeFile,
    sets: Sets = None,
    random_weights: RandomWeights = False,
    images: Images = None,
    ar_steps: Trained = None,
    repeats: Repeats = 3,
    to: To = None,
) -> None:
    """Measure how the cost of an update grows with chains, selected tokens, trained AR steps and images.

    Example: margrpo bench scaling recipes/mar_base.toml --random-weights --images 1
    """
    made = bench(recipe, sets, to, random_weights, images=images, ar_steps=ar_steps)
    from margrpo.evaluate.bench.scaling import measure_scaling

    points: list[dict[str, Any]] = []
    for group in measure_scaling(made, repeats=repeats):
        out().print(tables.scaling_table(group))
        points += [
            {"varied": each.varied, "value": each.value, "head_evaluations": each.evaluations, **each.figures.as_dict()}
            for each in group
        ]
        write_figures(to, {"points": points, **tables.machine(made, group[0].figures)})
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
    """The recipe assembled at a size, after a check that the figures can be written."""
    hush_profiler()
    if to is not None:
        refuse_unwritable(to, ".json", "--json")
    random = ["policy.weights=random", "codec.weights=random"] * random_weights
    checked = training(recipe, [*random, *(sets or [])])
    if trajectories is not None:
        checked = evolved(checked, estimator=with_chains(checked.estimator, trajectories))
    if unmasking is not None:
        checked = shortened(checked, unmasking)
        check_geometry(checked, source=str(recipe))
    checked = loadable(checked, recipe)
    from margrpo.evaluate.bench.bench import Bench

    settle_threads()
    return Bench(checked, progress=tell, **sizes)


def with_chains(estimator: Estimator, chains: int) -> Estimator:
    """The estimator with another number of chains per token, or `RunError` where the number is fixed."""
    if not isinstance(estimator, VariesChains):
        name = registry().short_name("estimator", estimator)
        raise RunError(f"--trajectories {chains}: estimator.{name} cannot score another number of chains; leave it out")
    return estimator.with_chains(chains)


def shortened(recipe: Recipe, ar_steps: int) -> Recipe:
    """The recipe with `ar_steps` AR steps to an image; all are trained where the recipe trains more."""
    return evolved(recipe, unmasking=evolved(recipe.unmasking, steps=ar_steps))
