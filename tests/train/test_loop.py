import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from margrpo.components.optimizer import AdamW
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.errors import RunError
from margrpo.plugin.registry import registry
from margrpo.recipe.schema import Recipe, Run
from margrpo.testing import small
from margrpo.train.loop import train
from margrpo.train.run import checkpoint
from margrpo.train.run.figures import is_measured
from tests.train import odd
from tests.train.odd import Content, Spoiler, Telling, Wild


@pytest.fixture(autouse=True)
def odd_components() -> Iterator[None]:
    registry.cache_clear()
    registry().register(odd, "odd", distribution="margrpo")
    yield
    registry.cache_clear()


def recipe(folder: Path, **tables: Any) -> Recipe:
    run = {"steps": 6, "device": "cpu", "eval_prompts": 2, "held_out": 2, "eval_every": 2, "save_every": 2}
    settings = Run(**{**run, **tables.pop("run", {})})
    parts = {"optimizer": AdamW(lr=1e-3), "tracker": (Jsonl(),)}
    return small.recipe(folder, run=settings, **{**parts, **tables})


def lines(run: Path) -> list[dict[str, Any]]:
    """The figures of each step that are no seconds."""
    every = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not is_measured(name)} for line in every]


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = (load_file(run / "final" / "policy.safetensors") for run in (one, other))
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_that_stops_after_any_step_ends_as_one_that_never_stopped(tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    train(recipe(tmp_path), unbroken)
    *stopped, summary = [train(recipe(tmp_path), broken, stopped=lambda: True) for _ in range(6)]
    assert stopped == [None] * 5
    assert same_weights(unbroken, broken)
    assert [{**line, "bytes/checkpoint": 0} for line in lines(broken)] == [
        {**line, "bytes/checkpoint": 0} for line in lines(unbroken)
    ]
    assert summary["held_out"] == json.loads((unbroken / "summary.json").read_text())["held_out"]


def test_replay_parity_is_checked_once_as_a_run_begins_and_as_it_goes_on(tmp_path: Path) -> None:
    telling = Telling()
    made, agreed = recipe(tmp_path, tracker=(telling,)), "replay parity: log-probabilities agree within"
    assert train(made, tmp_path / "run", stopped=lambda: True) is None
    assert sum(said.startswith(agreed) for said in telling.said) == 1
    train(made, tmp_path / "run")
    assert sum(said.startswith(agreed) for said in telling.said) == 1


def test_a_run_says_where_run_state_of_some_ranks_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = Telling()
    monkeypatch.setattr(
        "margrpo.train.begin.warning", lambda parts, world_size: f"{world_size} rank, {len(parts)} parts"
    )
    train(recipe(tmp_path, tracker=(telling,), run={"steps": 1}), tmp_path / "run")
    assert "1 rank, 0 parts" in telling.said


def test_a_damaged_checkpoint_costs_its_steps_and_nothing_else(tmp_path: Path) -> None:
    unbroken, broken, telling = tmp_path / "unbroken", tmp_path / "broken", Telling()
    train(recipe(tmp_path), unbroken)
    train(recipe(tmp_path), broken)
    (broken / "summary.json").unlink()
    newest = checkpoint.all_in(broken / "checkpoints")[-1]
    (newest / "policy.safetensors").write_bytes(b"")
    train(recipe(tmp_path, tracker=(Jsonl(), telling)), broken)
    assert any(f"{newest}: policy.safetensors was changed" in said for said in telling.said)
    assert "going on from step 4" in telling.said
    assert same_weights(unbroken, broken)
    assert lines(unbroken) == lines(broken)


def test_what_is_written_of_a_checkpoint_is_in_the_figures(tmp_path: Path) -> None:
    train(recipe(tmp_path), tmp_path / "run")
    with_bytes = [line["step"] for line in lines(tmp_path / "run") if "bytes/checkpoint" in line]
    assert with_bytes == [1, 3, 5]
    *_, newest = checkpoint.all_in(tmp_path / "run" / "checkpoints")
    on_disk = sum(path.stat().st_size for path in newest.glob("*.safetensors"))
    assert lines(tmp_path / "run")[-1]["bytes/checkpoint"] == pytest.approx(on_disk, rel=0.5)
    assert "seconds/checkpoint" in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_verify_does_a_recorded_step_again(tmp_path: Path) -> None:
    telling, run = Telling(), tmp_path / "run"
    train(recipe(tmp_path), run)
    (run / "summary.json").unlink()
    assert train(recipe(tmp_path, tracker=(Jsonl(), telling)), run, verify=True) is not None
    assert any(said.startswith("step 4 was repeated: all ") for said in telling.said)


def test_verify_names_the_figures_that_differ(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(recipe(tmp_path), run)
    (run / "summary.json").unlink()
    spoiled = (run / "metrics.jsonl").read_text().replace('"step": 4, "reward": 0.', '"step": 4, "reward": 1.')
    (run / "metrics.jsonl").write_text(spoiled)
    with pytest.raises(RunError, match=r"step 4 was repeated and gives other figures: reward 0\.\d+ instead of 1"):
        train(recipe(tmp_path), run, verify=True)


def test_a_step_that_is_not_finite_is_skipped_told_and_put_away(tmp_path: Path) -> None:
    telling, run = Telling(), tmp_path / "run"
    train(recipe(tmp_path, advantage=Wild(at=(1,)), tracker=(Jsonl(), telling)), run)
    assert [line["skipped"] for line in lines(run)] == [0, 1, 0, 0, 0, 0]
    (said,) = (said for said in telling.said if "not finite" in said)
    assert said.startswith("step 1: numbers are not finite, and the update is skipped: a gradient overflowed")
    assert str(run / "skipped" / "step-000001-process-0.safetensors") in said
    names = {path.name for path in (run / "skipped").iterdir()}
    assert names == {f"step-000001-process-0.{ending}" for ending in ("json", "png", "safetensors")}
    kept = load_file(run / "skipped" / "step-000001-process-0.safetensors")
    assert kept["images"].shape == (4, 3, 4, 4)
    assert kept["steps.0.chain.state"].shape[-1] == small.CHANNELS


def test_too_many_skips_in_a_row_end_the_run_with_the_likely_cause(tmp_path: Path) -> None:
    broken = recipe(tmp_path, advantage=Wild(at=(0, 2, 3, 4)), run={"max_skipped_steps": 3})
    with pytest.raises(RunError) as caught:
        train(broken, tmp_path / "run")
    assert "numbers were not finite in 3 steps in a row, the last of them step 4: a gradient overflowed" in str(
        caught.value
    )
    assert "lower the learning rate of [optimizer], 0.001 in this step" in str(caught.value)


def test_weights_that_are_not_finite_are_the_cause_and_rewards_are_not_asked(tmp_path: Path) -> None:
    with pytest.raises(
        RunError,
        match=r"the weights themselves are not finite \(backbone\..*go back to an earlier checkpoint and lower the",
    ):
        train(recipe(tmp_path, optimizer=Spoiler()), tmp_path / "run")


def test_a_gradient_norm_far_from_its_history_is_told(tmp_path: Path) -> None:
    telling = Telling()
    made = recipe(tmp_path, advantage=Wild(at=(12,), value=1000.0), tracker=(telling,), run={"steps": 14})
    train(made, tmp_path / "run")
    (said,) = (said for said in telling.said if "times the median" in said)
    assert said.startswith("step 12: the gradient's norm is ")


def test_equal_rewards_cost_no_evaluation_of_the_head(tmp_path: Path) -> None:
    train(recipe(tmp_path, reward=(Content(),), run={"steps": 1}), tmp_path / "run")
    (line,) = lines(tmp_path / "run")
    assert (line["head_evaluations"], line["live_groups"], line["skipped"]) == (0, 0.0, 0)
