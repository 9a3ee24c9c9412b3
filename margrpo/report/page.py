"""The page: everything that is shown of one run or several, put into the template."""

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
from margrpo.train.run.folder import flat

LOOKS, MAPPED = 24, 5
"""Validator whose pictures and token maps are shown, at most."""
SAID = 200
"""Sentences at most, the last."""
T = TypeVar("T")


def page(runs: Sequence[Past], plans: Mapping[str, str]) -> str:
    """The report as HTML; `plans` are the words of `margrpo plan` by the runs' names."""
    beside = files("margrpo.report") / "page"
    return template("report.html").render(
        title=runs[0].title if len(runs) == 1 else f"{len(runs)} runs",
        runs=runs,
        facts=facts(runs),
        charts=[(chart, svg(chart), plain(chart.meaning)) for chart in charts(runs)],
        looks=[(run, found) for run in runs if (found := looks(run))],
        pairs=[(run, grid) for run in runs if run.before_after and (grid := pictures.picture(run.before_after))],
        maps=json.dumps([found for run in runs for found in maps(run)]),
        differences=differences(runs),
        recipes=[(run, (run.folder / "recipe.toml").read_text("utf-8")) for run in runs],
        plans=plans,
        said={run.name: run.said[-SAID:] for run in runs},
        style=(beside / "report.css").read_text("utf-8"),
        script=(beside / "report.js").read_text("utf-8"),
    )


def template(name: str) -> Any:
    """A page that is still to be filled; a name that it misses is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("margrpo.report", "page")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)


def facts(runs: Sequence[Past]) -> list[tuple[str, list[str]]]:
    """The main figures, a column for each run."""
    rows = [
        ("folder", [str(run.folder) for run in runs]),
        ("steps", [f"{run.done} of {run.steps}" for run in runs]),
        ("held-out score before", [of_summary(run, "before") for run in runs]),
        ("held-out score after", [of_summary(run, "after") for run in runs]),
        ("difference", [difference(run) for run in runs]),
        ("KL from before", [number(run.summary.get("kl"), "{:.3g} nats per token") for run in runs]),
        ("time", [took(run.summary.get("seconds")) for run in runs]),
        ("margrpo", [str(run.versions.get("margrpo", "–")) for run in runs]),
        ("torch", [str(run.versions.get("torch", "–")) for run in runs]),
    ]
    return [(name, values) for name, values in rows if any(value != "–" for value in values)]


def of_summary(run: Past, key: str) -> str:
    """A number of the held-out score at the end."""
    return number(run.held_out.get(key), "{:.3f}")


def difference(run: Past) -> str:
    """The held-out score after less before, with its interval."""
    score = run.held_out
    try:
        low, high = score["ci95"]
        return f"{score['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, {score['prompts']} prompts"
    except (LookupError, TypeError, ValueError):  # there is none, or it is not as it was written
        return "–"


def number(value: Any, form: str) -> str:
    """A number in words, or a dash."""
    return form.format(value) if isinstance(value, int | float) else "–"


def took(seconds: Any) -> str:
    """Hours and minutes."""
    if not isinstance(seconds, int | float):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def looks(run: Past) -> list[tuple[int, str]]:
    """Some of the grids of held-out prompts, in order; one that is being written is left out."""
    shown = ((step, pictures.picture(file)) for step, file in spread(list(run.looks.items()), LOOKS))
    return [(step, grid) for step, grid in shown if grid]


def maps(run: Past) -> list[dict[str, Any]]:
    """The token maps of some looks, as the page's script reads them."""
    found = []
    for step, file in spread(list(run.maps.items()), MAPPED):
        try:
            images = read(file)
        except MargrpoError:  # one that is not whole is no reason to show nothing else
            continue
        found.append({"run": run.name, "step": step, "images": [shown(image) for image in images]})
    return found


def spread(every: Sequence[T], most: int) -> list[T]:
    """So many at most, evenly spread, the first and the last among them."""
    count = min(most, len(every))
    places = sorted({round(i * (len(every) - 1) / max(1, count - 1)) for i in range(count)})
    return [every[place] for place in places]


def shown(image: Mapped) -> dict[str, Any]:
    """One image as the page's script reads it: numbers as float32 in base64, row by row."""
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
    """The smallest and the largest of the numbers that are known."""
    known = values[np.isfinite(values)]
    return {"low": float(known.min()) if len(known) else None, "high": float(known.max()) if len(known) else None}


def differences(runs: Sequence[Past]) -> list[tuple[str, list[str]]]:
    """The keys in which the recipes differ, a column for each run."""
    if len(runs) < 2:
        return []
    tables = [{key: json.dumps(value, ensure_ascii=False) for key, value in flat(run.recipe).items()} for run in runs]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    rows = [(key, [table.get(key, "–") for table in tables]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def plain(meaning: str) -> str:
    """Words of the docs without their links and marks."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", meaning).replace("`", "")
