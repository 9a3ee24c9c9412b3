"""The charts of a report, and the figures that each shows."""

from collections.abc import Callable, Iterator, Sequence

from margrpo.report.chart import Chart, Curve
from margrpo.report.past import Past
from margrpo.train.run.figures import figure_of


def charts(runs: Sequence[Past]) -> Iterator[Chart]:
    """The charts that have values, the most important first."""
    names = list(dict.fromkeys(name for run in runs for name in run.names))
    rewards = [name for name in names if name.startswith("reward/")]
    yield from one("held_out", "Held-out score", runs, around="held_out_ci95")
    yield from one("reward", "Reward", runs)
    if len(rewards) > 1 or len(runs) > 1:
        for name in rewards:
            of = name.removeprefix("reward/")
            yield from one(name, f"Reward {of}", runs, around=f"reward_std/{of}")
    else:
        for name in rewards:
            of = name.removeprefix("reward/")
            yield from one(f"reward_std/{of}", "Std of the reward within a prompt", runs)
    yield from one("kl", "KL from the policy before training", runs)
    yield from one("kl_median", "KL, median token", runs)
    yield from one("gradient_norm", "Gradient norm", runs, logarithmic=True)
    yield from one("log_ratio", "Log ratio at the last update", runs, unless=is_zero)
    yield from one("penalty", "Penalty", runs, unless=is_zero)
    yield from signal(runs)
    yield from dead_groups(runs)
    together = [name for name in names if name.startswith(("reward_pull/", "reward_correlation/"))]
    for name in together if len(rewards) > 1 else ():
        yield from one(name, name.replace("_", " ").replace("/", " "), runs)
    yield from one("dropped_groups", "Dropped groups", runs, unless=is_zero)
    yield from one("skipped", "Skipped updates", runs, unless=is_zero)
    yield from one("learning_rate", "Learning rate", runs)
    yield from one("loss", "Pre-training loss", runs)
    yield from one("variance_bound", "Variance bound", runs)
    yield from seconds(runs)
    yield from one("bytes/memory", "Memory", runs, by=1e9, unit="GB")


def is_zero(values: Sequence[float]) -> bool:
    """Whether all values are zero."""
    return not any(values)


def one(
    name: str,
    title: str,
    runs: Sequence[Past],
    *,
    around: str = "",
    logarithmic: bool = False,
    unless: Callable[[Sequence[float]], bool] = lambda values: False,
    by: float = 1.0,
    unit: str = "",
) -> Iterator[Chart]:
    """The chart of one figure, a curve for each run; `around` names the figure that is its half-width."""
    figure, curves = figure_of(name), []
    for run in runs:
        steps, values = run.series(name)
        if not values or unless(values):
            continue
        widths = dict(zip(*run.series(around), strict=True)) if around else {}
        spread = [widths.get(step, 0.0) for step in steps] if widths else None
        curves.append(Curve(run.name if len(runs) > 1 else "", steps, [value / by for value in values], spread))
    if curves:
        meaning = f"`{name}`: {figure.meaning}" if figure else f"`{name}`"
        yield Chart(title, unit or (figure.unit if figure else ""), curves, meaning, logarithmic)


def signal(runs: Sequence[Past]) -> Iterator[Chart]:
    """The signal-to-noise of the update under each estimator, a chart for each run."""
    for run in runs:
        found = [name for name in run.names if name.startswith("signal_to_noise/")]
        curves = [Curve(name.partition("/")[2], *run.series(name)) for name in found]
        if curves:
            title = "Signal-to-noise of the update" + (f", {run.name}" if len(runs) > 1 else "")
            figure = figure_of(found[0])
            yield Chart(title, "", curves, f"`signal_to_noise/…`: {figure.meaning if figure else ''}")


def dead_groups(runs: Sequence[Past]) -> Iterator[Chart]:
    """The share of images without an advantage."""
    curves = []
    for run in runs:
        steps, live = run.series("live_groups")
        if live:
            curves.append(Curve(run.name if len(runs) > 1 else "", steps, [1 - share for share in live]))
    if curves:
        meaning = (
            "1 − `live_groups`: share of images whose group has equal rewards; the update learns nothing from them"
        )
        yield Chart("Dead groups", "share", curves, meaning)


def seconds(runs: Sequence[Past]) -> Iterator[Chart]:
    """The seconds of each part of a step, a chart for each run."""
    for run in runs:
        parts = [name for name in run.names if name.startswith("seconds/")]
        curves = [Curve(name.removeprefix("seconds/"), *run.series(name)) for name in parts]
        if curves:
            title = "Time of a step" + (f", {run.name}" if len(runs) > 1 else "")
            yield Chart(title, "s", curves, "`seconds/…`, stacked", stacked=True)
