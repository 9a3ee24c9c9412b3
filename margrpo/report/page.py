"""The page of a report: facts, charts, pictures, token maps, recipes and logs of runs, put into the template."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np

from margrpo.errors import MargrpoError
from margrpo.pictures.token_maps import Mapped, read
from margrpo.report import pictures
from margrpo.report.chart import svg
from margrpo.report.charts import charts
from margrpo.report.past import Past
from margrpo.train.run.changes import flat

VALIDATIONS, MAPPED = 24, 5
"""Validations of a run whose pictures and token maps are shown, at most."""
LOGGED = 200
"""Messages of a run's log that are shown, at most; the newest are."""
T = TypeVar("T")


def page(runs: Sequence[Past], plans: Mapping[str, str]) -> str:
    """The report as HTML; `plans` holds the output of `margrpo plan` for each run's name."""
    beside = files("margrpo.report") / "page"
    return template("report.html").render(
        title=runs[0].title if len(runs) == 1 else f"{len(runs)} runs",
        runs=runs,
        facts=facts(runs),
        charts=[(chart, svg(chart), plain(chart.meaning)) for chart in charts(runs)],
        validations=[(run, found) for run in runs if (found := validations(run))],
        pairs=[(run, grid) for run in runs if run.before_after and (grid := pictures.picture(run.before_after))],
        maps=json.dumps([found for run in runs for found in maps(run)]),
        differences=differences(runs),
        recipes=[(run, run.files.recipe.read_text("utf-8")) for run in runs],
        plans=plans,
        log={run.name: run.log[-LOGGED:] for run in runs},
        style=(beside / "report.css").read_text("utf-8"),
        script=(beside / "report.js").read_text("utf-8"),
    )


def template(name: str) -> Any:
    """A template of a page; a name that it is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("margrpo.report", "page")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)


def facts(runs: Sequence[Past]) -> list[tuple[str, list[str]]]:
    """The main figures, with a column for each run."""
    rows = [
        ("folder", [str(run.files.path) for run in runs]),
        ("steps", [f"{run.done} of {run.steps}" for run in runs]),
        ("held-out score before", [of_summary(run, "before") for run in runs]),
        ("held-out score after", [of_summary(run, "after") for run in runs]),
        ("difference", [difference(run) for run in runs]),
        (
            "KL from the policy before training",
            [number(run.summary.get("kl"), "{:.3g} nats per token") for run in runs],
        ),
        ("time", [took(run.summary.get("seconds")) for run in runs]),
        ("margrpo", [str(run.versions.get("margrpo", "–")) for run in runs]),
        ("torch", [str(run.versions.get("torch", "–")) for run in runs]),
    ]
    return [(name, values) for name, values in rows if any(value != "–" for value in values)]


def of_summary(run: Past, key: str) -> str:
    """The held-out score `before` or `after` training, or a dash."""
    return number(run.held_out.get(key), "{:.3f}")


def difference(run: Past) -> str:
    """The change of the held-out score, with its interval."""
    score = run.held_out
    try:
        low, high = score["ci95"]
        return f"{score['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, {score['prompts']} prompts"
    except (LookupError, TypeError, ValueError):  # there is none, or it is not as it was written
        return "–"


def number(value: Any, form: str) -> str:
    """A number in the given form, or a dash where the value is not a number."""
    return form.format(value) if isinstance(value, int | float) else "–"


def took(seconds: Any) -> str:
    """A duration in hours and minutes, or in minutes and seconds."""
    if not isinstance(seconds, int | float):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def validations(run: Past) -> list[tuple[int, str]]:
    """Grids of held-out prompts, at most `VALIDATIONS`, in order; a grid that is still being written is left out."""
    shown = ((step, pictures.picture(file)) for step, file in spread(list(run.validations.items()), VALIDATIONS))
    return [(step, grid) for step, grid in shown if grid]


def maps(run: Past) -> list[dict[str, Any]]:
    """Token maps of validations, at most `MAPPED`, as the page's script reads them."""
    found = []
    for step, file in spread(list(run.maps.items()), MAPPED):
        try:
            images = read(file)
        except MargrpoError:  # a file that is not whole must not hide the others
            continue
        found.append({"run": run.name, "step": step, "images": [shown(image) for image in images]})
    return found


def spread(every: Sequence[T], most: int) -> list[T]:
    """At most `most` items, evenly spread, with the first and the last."""
    count = min(most, len(every))
    places = sorted({round(i * (len(every) - 1) / max(1, count - 1)) for i in range(count)})
    return [every[place] for place in places]


def shown(image: Mapped) -> dict[str, Any]:
    """An image's token maps as the page's script reads them: numbers are float32 in base64, row by row."""
    return {
        "caption": image.caption,
        "steps": list(image.steps),
        "side": image.side,
        "size": image.frames.shape[1],
        "strip": pictures.strip(image.frames),
        "layers": [
            {
                "name": layer.name,
                "meaning": layer.meaning,
                "rows": len(layer.values),
                "values": base64.b64encode(layer.values.astype("<f4").tobytes()).decode(),
                **extent(layer.values),
            }
            for layer in image.layers
        ],
    }


def extent(values: np.ndarray) -> dict[str, float | None]:
    """The smallest and the largest finite number."""
    known = values[np.isfinite(values)]
    return {"low": float(known.min()) if len(known) else None, "high": float(known.max()) if len(known) else None}


def differences(runs: Sequence[Past]) -> list[tuple[str, list[str]]]:
    """The keys whose values differ between the recipes, with a column for each run."""
    if len(runs) < 2:
        return []
    tables = [{key: json.dumps(value, ensure_ascii=False) for key, value in flat(run.recipe).items()} for run in runs]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    rows = [(key, [table.get(key, "–") for table in tables]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def plain(meaning: str) -> str:
    """A figure's description without the links and marks of Markdown."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", meaning).replace("`", "")
