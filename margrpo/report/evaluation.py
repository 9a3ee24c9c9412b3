"""The page of an evaluation: bars with intervals for each category, and pictures side by side."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from margrpo.report import pictures
from margrpo.report.page import template

SHOWN = 8
"""Pictures of a category, at most."""
SIDE = 192
"""Pixels of a picture on the page, at most."""


def page(found: Mapping[str, Any], folders: Mapping[str, Path]) -> str:
    """The page as HTML; `folders` holds the folder of each policy's pictures and scores."""
    style = (files("margrpo.report") / "page" / "report.css").read_text("utf-8")
    rewards = {name: (rows, extent(rows, found["policies"])) for name, rows in found["rewards"].items()}
    return template("evaluation.html").render(
        found=found, rewards=rewards, gallery=gallery(found["policies"], folders), style=style
    )


def extent(rows: Mapping[str, Any], policies: Sequence[str]) -> tuple[float, float]:
    """The range of the bars: from 0 or the smallest end of an interval to the largest end."""
    ends = [row[who][end] for row in rows.values() for who in policies for end in ("low", "high", "mean")]
    known = [0.0, *(end for end in ends if end is not None)]
    return min(known), max(known) or 1.0


def gallery(policies: Sequence[str], folders: Mapping[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """The first pictures of each category, from every policy."""
    by_place: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for who in policies:
        for line in lines_of(folders[who], who):
            by_place.setdefault((line["category"], Path(line["image"]).stem), []).append(shown(line, who, folders[who]))
    found: dict[str, list[dict[str, Any]]] = {}
    for (category, _), some in by_place.items():
        if len(some) < len(policies) or len(found.setdefault(category, [])) >= SHOWN:
            continue
        drawn = [one | {"uri": pictures.picture(one["file"], SIDE)} for one in some]
        if all(one["uri"] for one in drawn):
            found[category].append({"prompt": some[0]["prompt"], "pictures": drawn})
    return found


def lines_of(folder: Path, who: str) -> list[dict[str, Any]]:
    """The scores of a policy's images; of the file's last policy, if the file does not name the policy."""
    lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text("utf-8").splitlines()]
    names = list(dict.fromkeys(line["policy"] for line in lines))
    return [line for line in lines if line["policy"] == (who if who in names else names[-1])]


def shown(line: Mapping[str, Any], who: str, folder: Path) -> dict[str, Any]:
    """The prompt, the scores and the file of a picture."""
    scores = {name.removeprefix("score/"): value for name, value in line.items() if name.startswith("score/")}
    return {"who": who, "prompt": line["prompt"], "scores": scores, "file": folder / line["image"]}
