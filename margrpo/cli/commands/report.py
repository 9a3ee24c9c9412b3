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

if TYPE_CHECKING:
    from margrpo.report.past import Past


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Folders of runs, side by side.", show_default=False)
    ],
    to: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The file; report.html in the run's folder unless given."),
    ] = None,
) -> None:
    """Write one HTML file about a run, or about several, that needs no network; the run may go on meanwhile."""
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
        raise RunError("several runs have no folder in common; say where the report goes with --out FILE")
    file = to or runs[0] / "report.html"
    text = page(past, {run.name: words_of_plan(run) for run in past})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{file}: cannot be written ({error.strerror}); choose another --out") from None
    facts([("report", file.absolute().as_uri()), ("size", size(file.stat().st_size))])


def words_of_plan(run: "Past") -> str:
    """What `margrpo plan` says of the run's recipe, or that it cannot be told here.

    A recipe that names a Python file is not planned: looking at a run must not run what its folder brings.
    """
    if names_file(run.recipe) or "extends" in run.recipe:
        return "It cannot be told here: the recipe names a file whose code would run; see `margrpo plan`."
    written = StringIO()
    try:
        plan.show(training(run.folder / "recipe.toml", None), Console(file=written, width=100, color_system=None))
    except MargrpoError as error:
        return f"It cannot be told here: {error}"
    return written.getvalue()


def names_file(value: Any) -> bool:
    """Whether a text in a recipe's table has the form FILE.py:NAME, which picks a component from a file."""
    if isinstance(value, Mapping):
        return any(map(names_file, value.values()))
    if isinstance(value, list):
        return any(map(names_file, value))
    return isinstance(value, str) and from_file.names_file(value)
