"""A chart of curves as SVG, in the colours of the page."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from margrpo.declare import record

INK, GRID = "#010203", "#010204"
"""Placeholders for the page's colours, which differ between its light and its dark theme."""
COLOURS = ("#2a78d6", "#e0762b", "#1b9e77", "#c2418f", "#8a6fd1", "#9a8412", "#6b7f93", "#c0564b")
"""Colours of curves, readable on white and on black."""
LETTERS = 44
"""Letters in a line of the legend, at most."""


@record
class Curve:
    """Values over steps; `around` is the half-width of a band about them."""

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    around: Sequence[float] | None = None

    @property
    def words(self) -> str:
        """The first and the last value, in words."""
        ends = (f"{self.values[i]:.4g} at step {self.steps[i]:g}" for i in (0, -1))
        return f"{self.label} {', '.join(ends)}".strip()


@record
class Chart:
    """Curves with one unit under a title."""

    title: str
    unit: str
    curves: Sequence[Curve]
    meaning: str = ""
    logarithmic: bool = False
    stacked: bool = False

    @property
    def labels(self) -> list[str]:
        """The labels of the curves; a long one is cut at its front."""
        return [curve.label if len(curve.label) <= LETTERS else f"…{curve.label[-LETTERS:]}" for curve in self.curves]

    @property
    def words(self) -> str:
        """The chart in a sentence, for readers who do not see it."""
        return f"{self.title}: {'; '.join(curve.words for curve in self.curves if curve.values)}"


def svg(chart: Chart) -> str:
    """The chart as an element of a page."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": chart.title,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    }
    with rc_context(style):
        columns = max(1, min(4, LETTERS // (3 + max(map(len, chart.labels)))))
        rows = -(-len(chart.curves) // columns) if len(chart.curves) > 1 else 0
        figure = Figure(figsize=(4.6, 2.5 + 0.17 * max(0, rows - 1)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        handles = draw(axes, chart)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("step")
        axes.set_ylabel(chart.unit if chart.unit != "–" else "")
        if axes.get_yscale() == "linear":
            axes.ticklabel_format(axis="y", scilimits=(-3, 4))
        if len(chart.curves) > 1:
            where: Any = {
                "handles": handles,
                "labels": chart.labels,
                "loc": "lower right",
                "bbox_to_anchor": (1, 1),
                "ncols": columns,
            }
            axes.legend(frameon=False, fontsize=8, labelcolor=INK, **where)
        whole = StringIO()
        figure.savefig(whole, format="svg", transparent=True, metadata={"Date": None})
    return themed(whole.getvalue(), chart.words)


def draw(axes, chart: Chart) -> list[Any]:  # type: ignore[no-untyped-def]
    """Draw the curves, stacked where the chart is; the legend's handle of each curve."""
    if chart.stacked:
        longest = max(chart.curves, key=lambda curve: len(curve.steps))
        rows = [dict(zip(curve.steps, curve.values, strict=True)) for curve in chart.curves]
        values = [[row.get(step, 0.0) for step in longest.steps] for row in rows]
        return list(axes.stackplot(longest.steps, values, colors=COLOURS, linewidth=0))
    handles = []
    for colour, curve in zip(cycled(len(chart.curves)), chart.curves, strict=True):
        few = {"marker": "o", "markersize": 3} if len(curve.steps) < 40 else {}
        handles += axes.plot(curve.steps, curve.values, color=colour, linewidth=1.4, **few)
        if curve.around is not None:
            low, high = zip(*((v - a, v + a) for v, a in zip(curve.values, curve.around, strict=True)), strict=True)
            axes.fill_between(curve.steps, low, high, color=colour, alpha=0.18, linewidth=0)
    if chart.logarithmic and all(value > 0 for curve in chart.curves for value in curve.values):
        axes.set_yscale("log")
    return handles


def cycled(count: int) -> list[str]:
    """A colour for each of `count` curves."""
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def themed(text: str, words: str) -> str:
    """The SVG element in the page's colours, as wide as its place, with `words` as its label."""
    text = text[text.index("<svg") :]
    text = text.replace(INK, "currentColor").replace(GRID, "var(--grid)")
    box = re.search(r'viewBox="[^"]+"', text)
    opening = f'<svg role="img" aria-label="{escaped(words)}" {box[0] if box else ""}>'
    text = opening + text[text.index(">") + 1 :]
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)


def escaped(words: str) -> str:
    """Text escaped for an attribute."""
    return words.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
