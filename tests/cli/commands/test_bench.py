import json
from pathlib import Path

import pytest

from margrpo.evaluate.bench.bench import Bench
from tests.cli.command import QUICKSTART, RANDOM, run, setting

pytestmark = pytest.mark.usefixtures("small_products")
SMALL = ("--random-weights", "--images", "2", "--repeats", "1")


def figures(*words: str | Path, file: Path) -> dict[str, object]:
    done = run("bench", *words, "--json", file)
    assert done.exit_code == 0, done.output
    return json.loads(file.read_text())


def test_a_step_against_the_plain_way_prints_and_writes_what_was_measured(tmp_path: Path) -> None:
    words = ("step", QUICKSTART, *SMALL, "--ar-steps", "1", "--trajectories", "2", "--against", "dense")
    found = figures(*words, file=tmp_path / "f.json")
    assert {"seconds", "flops", "peak_share", "peak_bytes", "speedup", "memory_ratio"} <= found.keys()
    assert found["loss_relative_error"] < 1e-4
    assert found["gradient_relative_error"] < 1e-3
    assert found["counts"]["ar_steps"] == 1
    assert found["machine"]["precision"] == "float32"
    done = run("bench", *words)
    assert "times faster" in done.stdout
    assert "the plain way" in done.stdout
    assert "timed run 1 of 1" in done.stderr


def test_a_rollout_a_head_and_a_scaling_print_and_write_what_was_measured(tmp_path: Path) -> None:
    found = figures("rollout", QUICKSTART, *SMALL, "--ar-steps", "3", "--training", file=tmp_path / "r.json")
    assert found["useful_share"] > 0.95
    assert {"backbone", "head", "codec", "trajectories"} <= found["parts"].keys()
    found = figures("head", QUICKSTART, *SMALL, file=tmp_path / "h.json")
    assert list(found["chains"]) == ["1", "2", "4", "8", "16", "32"]
    found = figures("scaling", QUICKSTART, *SMALL, "--ar-steps", "1", file=tmp_path / "s.json")
    assert {point["varied"] for point in found["points"]} == {"K", "n", "B"}  # there is one AR step only


def test_what_cannot_be_measured_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = run("bench", "step", QUICKSTART, "--json", tmp_path / "figures.txt")
    assert done.exit_code == 2
    assert "--json: must be a file that ends in .json" in done.stderr
    done = run("bench", "step", QUICKSTART, *setting(*RANDOM, "estimator={use='single'}"), "--trajectories", "3")
    assert done.exit_code == 2
    assert "--trajectories 3: estimator.single cannot score another number of chains; leave it out" in done.stderr
    done = run("bench", "step", QUICKSTART, "--random-weights", "--images", "100000")
    assert done.exit_code == 2
    assert "--images 100000: the recipe draws" in done.stderr


def test_where_the_two_do_not_agree_the_command_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Bench.dense
    monkeypatch.setattr(Bench, "dense", lambda self, rollout, timer: 1.01 * plain(self, rollout, timer))
    words = ("step", QUICKSTART, *SMALL, "--ar-steps", "1", "--against", "dense")
    done = run("bench", *words, "--json", tmp_path / "f.json")
    assert done.exit_code == 2
    assert "the update and the plain way do not agree" in done.stderr
    assert json.loads((tmp_path / "f.json").read_text())["agrees"] is False


def test_no_line_of_a_table_is_wider_than_the_terminal() -> None:
    words = ("step", QUICKSTART, *SMALL, "--ar-steps", "1")
    assert max(map(len, run("bench", *words).stdout.splitlines())) <= 80
