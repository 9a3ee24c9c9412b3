"""`margrpo report`."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from margrpo.cli.arguments import training
from margrpo.cli.commands import plan
from margrpo.cli.terminal import facts, size
from margrpo.errors import MargrpoError, PluginError, RunError
from margrpo.plugin import from_file
from margrpo.run_folder import RunFolder

if TYPE_CHECKING:
    from margrpo.report.past import Past


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Folders of runs; several are shown side by side.", show_default=False),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The HTML file to write. Default: report.html in the run's folder.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write one HTML file about a run or several: curves, images, token maps, recipe and log.

    Example: margrpo report runs/quickstart-1

    The file needs no network. A run that still goes on is shown as far as it has got.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise PluginError(
            'margrpo report needs matplotlib, which is not installed; pip install "margrpo[report]"'
        ) from None
    from margrpo.report.page import page
    from margrpo.report.past import Past

    past = Past.all(runs)
    if len(runs) > 1 and to is None:
        raise RunError("a report of several runs needs --out FILE, as they have no folder in common")
    file = to or RunFolder(runs[0]).report
    text = page(past, {run.name: words_of_plan(run) for run in past})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{file}: cannot be written ({error.strerror}); choose another --out") from None
    facts([("report", file.absolute().as_uri()), ("size", size(file.stat().st_size))])


def words_of_plan(run: "Past") -> str:
    """The output of `margrpo plan` for the run's recipe, or why it cannot be had here.

    A recipe that names a Python file is not planned: looking at a run must not run what its folder brings.
    """
    if names_file(run.recipe) or "extends" in run.recipe:
        return "The plan is not made here: the recipe names a file whose code would run; see `margrpo plan`."
    written = StringIO()
    try:
        plan.show(training(run.files.recipe, None), Console(file=written, width=100, color_system=None))
    except MargrpoError as error:
        return f"The plan cannot be made here: {error}"
    return written.getvalue()


def names_file(value: Any) -> bool:
    """Whether a text in a recipe's table has the form FILE.py:NAME, which picks a component from a file."""
    if isinstance(value, Mapping):
        return any(map(names_file, value.values()))
    if isinstance(value, list):
        return any(map(names_file, value))
    return isinstance(value, str) and from_file.names_file(value)
