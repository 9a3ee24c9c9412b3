import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from margrpo.components.tracker.jsonl import Jsonl
from margrpo.errors import RunError


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def track(folder: Path, *, start: int, end: int, value: float = 0.0) -> None:
    opened = Jsonl().open(folder, "a run", 10, start)
    for step in range(start, end):
        opened.write(step, {"reward": value})
    opened.close()


def test_a_line_can_be_read_as_soon_as_it_is_written(tmp_path: Path):
    opened = Jsonl().open(tmp_path, "a run", 10, 0)
    opened.write(0, {"reward": 0.5, "kl": 0.25})
    assert lines(tmp_path) == [{"step": 0, "reward": 0.5, "kl": 0.25}]
    opened.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(killed=st.integers(0, 10), back=st.integers(0, 10))
def test_a_resumed_run_has_every_step_once_whatever_it_goes_back_to(tmp_path: Path, killed: int, back: int):
    start = min(killed, back)
    track(tmp_path, start=0, end=killed, value=1.0)
    track(tmp_path, start=start, end=10, value=2.0)
    assert [line["step"] for line in lines(tmp_path)] == list(range(10))
    assert [line["reward"] for line in lines(tmp_path)] == [1.0] * start + [2.0] * (10 - start)


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 0, "reward": 1.0}\n{"step": 1, "rew')
    track(tmp_path, start=1, end=2, value=2.0)
    assert lines(tmp_path) == [{"step": 0, "reward": 1.0}, {"step": 1, "reward": 2.0}]


def test_figures_that_are_not_finite_become_null(tmp_path: Path):
    opened = Jsonl().open(tmp_path, "a run", 1, 0)
    opened.write(0, {"kl": math.nan, "reward": math.inf})
    opened.close()
    assert lines(tmp_path) == [{"step": 0, "kl": None, "reward": None}]


def test_a_sentence_leaves_the_figures_alone(tmp_path: Path):
    opened = Jsonl().open(tmp_path, "a run", 1, 0)
    opened.say("replay parity holds")
    opened.close()
    assert lines(tmp_path) == []


@pytest.mark.parametrize("damaged", ["nonsense", "[]", '{"reward": 1.0}', '{"step": null}'])
def test_a_damaged_line_is_refused_with_its_number(tmp_path: Path, damaged: str):
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": 0}}\n{damaged}\n{{"step": 2}}\n')
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 2: .* does not name its step; repair the line or"):
        Jsonl().open(tmp_path, "a run", 10, 3)
