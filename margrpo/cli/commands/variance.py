"""`margrpo variance`."""

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from margrpo.cli.arguments import RecipeOrRun, Sets, loadable, recipe_of, training, with_weights, with_weights_of
from margrpo.cli.terminal import out, tell
from margrpo.cli.threads import settle_threads
from margrpo.errors import RunError
from margrpo.run_folder import RunFolder

if TYPE_CHECKING:
    from margrpo.evaluate.spread import EstimatorComparison, Spread
    from margrpo.recipe import Recipe
    from margrpo.train.watch.signal_to_noise import Signal


def variance(
    recipe: RecipeOrRun,
    sets: Sets = None,
    images: Annotated[int, typer.Option(metavar="N", help="Images of the fixed rollout.", min=1)] = 8,
    replicates: Annotated[int, typer.Option(metavar="N", help="Draws of the chains at each K.", min=2)] = 12,
    steps: Annotated[
        int, typer.Option(metavar="N", help="Steps whose prompts the update's signal is measured on.", min=1)
    ] = 2,
    batches: Annotated[int, typer.Option(metavar="N", help="Independent rollouts for the weightings.", min=2)] = 24,
    to: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Also write the figures to this file.", show_default=False),
    ] = None,
) -> None:
    """Measure how noisy the gradient of a policy is under each estimator and weighting.

    Example: margrpo variance recipes/quickstart.toml --steps 6

    The first table compares whole updates: signal-to-noise and seconds under each estimator. The others show the
    noise of the chains alone.
    """
    if to is not None and not to.parent.is_dir():
        raise RunError(f"--json {to}: there is no folder {to.parent}; make it first")
    checked = loadable(own(recipe, sets), recipe)
    from margrpo.evaluate import variance as measure

    settle_threads()
    signals = measure.of_updates(checked, steps=steps, progress=tell)
    out().print(signal_table(signals, checked, steps))
    fixed = measure.FixedRollout(checked, images=images, replicates=replicates)
    comparisons = measure.compare_estimators(fixed, tell)
    transitions = measure.compare_transitions(fixed, tell)
    weightings = measure.compare_weightings(checked, batches=batches, progress=tell)
    out().print(estimator_table(comparisons, images, replicates))
    out().print(transition_table(transitions))
    out().print(weighting_table(weightings, batches))
    if to is not None:
        found = figures(comparisons, transitions, weightings, signals)
        to.write_text(json.dumps(finite(found), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def own(given: Path, sets: list[str] | None) -> "Recipe":
    """The recipe of a file, or a run's recipe with the run's newest weights."""
    if not given.is_dir():
        return training(given, sets)
    source, weights = recipe_of(given), str(RunFolder(given).newest_weights())
    return with_weights_of(weights, training(source, with_weights(sets, weights)))


def finite(found: Any) -> Any:
    """The figures with null in place of numbers that are not finite, which JSON cannot write."""
    if isinstance(found, dict):
        return {key: finite(each) for key, each in found.items()}
    if isinstance(found, list):
        return [finite(each) for each in found]
    return None if isinstance(found, float) and not isfinite(found) else found


def signal_table(signals: "dict[str, Signal]", recipe: "Recipe", steps: int) -> Table:
    """The signal-to-noise of the update, with a row for each estimator."""
    prompts = steps * recipe.prompts.prompts
    table = Table(
        title="Signal-to-noise of the whole update",
        caption=f"|E g|² / tr Cov of an update of {prompts} prompts; higher is better, small negative values are noise",
    )
    for column in ("estimator", "signal-to-noise", "against own", "seconds a step"):
        table.add_column(column, justify="left" if column == "estimator" else "right")
    own = signals["own"]
    for name, each in signals.items():
        ratio, seconds = each.moments.ratio, each.seconds / steps
        gain = f"{ratio / own.moments.ratio:.2f}" if own.moments.ratio > 0 else "–"
        table.add_row(name, f"{ratio:.3g}" if each.moments.squares else "no gradient", gain, f"{seconds:.2f}")
    return table


def estimator_table(comparisons: "list[EstimatorComparison]", images: int, replicates: int) -> Table:
    """The variance under each estimator, with a row for each K."""
    table = Table(
        title="Total variance of the gradient, tokens that later steps commit",
        caption=f"one rollout of {images} images, {replicates} replicates; disagreement of means in standard errors",
    )
    first = comparisons[0]
    for column in ("K", *first.spreads, *headed("ratio", first), *headed("disagreement", first)):
        table.add_column(column, justify="right")
    for one in comparisons:
        disagreements = (f"{each:.2f}" for each in one.disagreement.values())
        table.add_row(str(one.trajectories), *noises(one), *disagreements)
    return table


def transition_table(transitions: "dict[int, EstimatorComparison]") -> Table:
    """The variance under each estimator, with a row for each transition."""
    table = Table(title="Total variance of the gradient of each transition, K = 1")
    first = next(iter(transitions.values()))
    for column in ("t", *first.spreads, *headed("ratio", first)):
        table.add_column(column, justify="right")
    for t, one in transitions.items():
        table.add_row(str(t), *noises(one))
    return table


def headed(word: str, one: "EstimatorComparison") -> list[str]:
    """The headings of the columns that compare estimators with the first; two or more columns carry names."""
    _, *others = one.spreads
    return [word] if len(others) == 1 else [f"{word} {name}" for name in others]


def noises(one: "EstimatorComparison") -> list[str]:
    """The cells of one comparison: the variance under each estimator, and the ratios to the first."""
    variances = [f"{each.variance:.3g}" for each in one.spreads.values()]
    return variances + [f"{each:.3f}" for each in one.ratio.values()]


def weighting_table(weightings: "dict[str, Spread]", batches: int) -> Table:
    """The variance and signal-to-noise, with a row for each weighting."""
    table = Table(
        title="Signal-to-noise of the gradient, committed tokens",
        caption=f"{batches} independent rollouts; higher signal-to-noise is better",
    )
    for column in ("weighting", "total variance", "signal-to-noise"):
        table.add_column(column, justify="left" if column == "weighting" else "right")
    for name, spread in weightings.items():
        table.add_row(name, f"{spread.variance:.3g}", f"{spread.signal_to_noise:.2g}")
    return table


def figures(
    comparisons: "list[EstimatorComparison]",
    transitions: "dict[int, EstimatorComparison]",
    weightings: "dict[str, Spread]",
    signals: "dict[str, Signal]",
) -> dict[str, object]:
    """The figures of the tables, for a JSON file."""
    return {
        "update": {
            name: {"signal_to_noise": each.moments.ratio, "signal": each.moments.signal, "noise": each.moments.noise}
            for name, each in signals.items()
        },
        "estimators": [{"trajectories": one.trajectories, **row(one)} for one in comparisons],
        "transitions": [{"t": t, **row(one)} for t, one in transitions.items()],
        "weightings": {
            name: {"variance": spread.variance, "signal_to_noise": spread.signal_to_noise}
            for name, spread in weightings.items()
        },
    }


def row(one: "EstimatorComparison") -> dict[str, dict[str, float]]:
    """The figures of one comparison, each by the name of an estimator."""
    return {
        "variance": {name: each.variance for name, each in one.spreads.items()},
        "ratio": one.ratio,
        "disagreement": one.disagreement,
    }
