import json
import re
import shutil
from pathlib import Path

import pytest

from margrpo.report.chart import COLOURS, Chart, Curve, svg
from margrpo.report.page import page
from margrpo.report.past import Past
from tests.report import made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.run(tmp_path_factory.mktemp("report"))


def text_of(*folders: Path) -> str:
    runs = [Past.of(folder) for folder in folders]
    return page(runs, {run.name: "what it costs" for run in runs})


def maps_in(text: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="maps">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_report_shows_everything_that_the_run_wrote(run: Path) -> None:
    text = text_of(run)
    for words in ("A small run", "of a test", "4 of 4", "Held-out score", "Gradient norm", "Memory", "what it costs"):
        assert words in text
    assert "replay parity: log-probabilities agree" in text
    assert text.count('class="chart"') >= 8
    assert text.count("data-step=") == 3  # before, after 2, after 4
    (first, last) = maps_in(text)
    assert (first["step"], last["step"]) == (2, 4)
    assert len(last["images"]) == 2
    assert [layer["name"] for layer in last["images"][0]["layers"]] == [
        "committed",
        "spread",
        "gain",
        "selected",
        "weight",
        "kl",
    ]


def test_a_report_asks_the_network_for_nothing(run: Path) -> None:
    text = text_of(run)
    asked = re.findall(r'(?:src|href|action)="([^"]*)"', text) + re.findall(r"url\(([^)]*)\)", text)
    assert asked
    assert not [each for each in asked if not each.startswith(("data:", "#"))]
    assert "default-src 'none'" in text


def test_words_of_a_recipe_are_words_and_no_page(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    recipe = (copy / "recipe.toml").read_text()
    (copy / "recipe.toml").write_text(recipe.replace("A small run", "</script><script>alert(1)</script>"))
    text = text_of(copy)
    assert "alert(1)" in text
    assert "<script>alert(1)" not in text


def test_a_run_on_its_way_has_a_report_too(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "summary.json").unlink()
    lines = (copy / "metrics.jsonl").read_text().splitlines()
    (copy / "metrics.jsonl").write_text("\n".join(lines[:1]) + "\n" + lines[1][:20])
    (copy / "maps" / "step-000004.safetensors").write_bytes(b"half")
    picture = copy / "images" / "step-000004.png"
    picture.write_bytes(picture.read_bytes()[:300])
    (copy / "images" / "before_after.png").write_bytes(b"")
    text = text_of(copy)
    assert "1 of 4" in text
    assert [validation["step"] for validation in maps_in(text)] == [2]
    assert re.findall(r'data-step="(\d+)"', text) == ["0", "2"]


def test_of_many_looks_some_are_shown_the_first_and_the_last_among_them(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    for step in range(5, 100):
        shutil.copy(copy / "images" / "step-000004.png", copy / "images" / f"step-{step:06d}.png")
    shown = [int(step) for step in re.findall(r'data-step="(\d+)"', text_of(copy))]
    assert len(shown) == 24
    assert (shown[0], shown[-1]) == (0, 99)


def test_a_run_without_any_line_has_a_report_too(run: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    text = text_of(tmp_path)
    assert "0 of 4" in text
    assert maps_in(text) == []
    assert "The log is empty" in text


def test_a_run_whose_files_are_of_another_shape_has_a_report_of_what_can_be_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    (tmp_path / "metrics.jsonl").write_text('{"step": "one"}\n{"loss": 1}\n{"step": 0, "reward/mean": "high"}\n[1]\n')
    (tmp_path / "log.jsonl").write_text('{"time": 3, "message": "what"}\n{"time": "2026-01-01T00:00:00"}\n')
    for held_out in (None, 3, {"difference": 1.0}, {"difference": 1.0, "ci95": 2}, {"difference": "x", "ci95": [0, 1]}):
        (tmp_path / "summary.json").write_text(json.dumps({"held_out": held_out, "steps": 4}))
        assert "1 of 4" in text_of(tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    assert "4 of 4" in text_of(tmp_path)  # of a run that wrote no figures


def test_two_runs_stand_side_by_side_with_what_tells_their_recipes_apart(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "other")
    recipe = (copy / "recipe.toml").read_text()
    (copy / "recipe.toml").write_text(recipe.replace("lr = 0.001", "lr = 0.5"))
    text = text_of(run, copy)
    assert "2 runs" in text
    rows = re.findall(
        r'<tr><th scope="row"><code>([^<]*)</code></th><td><code>([^<]*)</code></td><td><code>([^<]*)', text
    )
    assert rows == [("optimizer.lr", "0.001", "0.5")]
    assert text.count("data-viewer>") == 2
    assert {validation["run"] for validation in maps_in(text)} == {"run", "other"}


@pytest.mark.parametrize("count", [1, 2, 6, 12])
@pytest.mark.parametrize("letters", [0, 3, 20, 200])
@pytest.mark.parametrize("stacked", [False, True])
def test_a_chart_has_room_for_as_many_names_of_any_length(count: int, letters: int, stacked: bool) -> None:
    curve = Curve("x" * letters, [0, 1, 2], [1.0, 2.0, 3.0])
    drawn = svg(Chart("title", "s", [curve] * count, stacked=stacked))
    assert drawn.startswith('<svg role="img" aria-label="title: ')
    assert "currentColor" in drawn


def test_the_legend_has_the_colours_of_the_curves() -> None:
    """A band around a curve is no entry of the legend."""
    curves = [Curve(name, [0, 1], [1.0, 2.0], around=[0.1, 0.1]) for name in ("one", "other")]
    drawn = svg(Chart("title", "", curves))
    legend = drawn[drawn.index('id="legend_1"') :]
    assert [colour for colour in COLOURS if colour in legend] == list(COLOURS[:2])
