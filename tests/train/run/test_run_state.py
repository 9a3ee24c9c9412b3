import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from margrpo.components.canary import HeldOutReward
from margrpo.components.optimizer import AdamW
from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.cached import Cached
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.errors import RunError
from margrpo.plugin.registry import registry
from margrpo.recipe.schema import Recipe, Run
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.loop import train
from margrpo.train.run import checkpoint, run_state
from margrpo.train.run.figures import is_measured
from margrpo.train.watch.signal_to_noise import signals
from tests.train import odd, remembering
from tests.train.odd import Telling
from tests.train.remembering import Aging, Around, Counter, Counting, Sum, Sums


@pytest.fixture(autouse=True)
def remembering_components() -> Iterator[None]:
    registry.cache_clear()
    for module in (remembering, odd):
        registry().register(module, module.__name__, distribution="margrpo")
    yield
    registry.cache_clear()


def recipe(folder: Path, **tables: Any) -> Recipe:
    run = Run(steps=4, device="cpu", eval_prompts=2, held_out=2, eval_every=1, save_every=2, maps=0)
    return small.recipe(folder, **{"run": run, "optimizer": AdamW(lr=1e-3), "tracker": (Jsonl(),), **tables})


def everything(folder: Path) -> Recipe:
    parts = {
        "reward": (Around(of=Counting()),),
        "measure": Counting(),
        "canary": (Aging(), HeldOutReward(of=Counting())),
    }
    return recipe(folder, **parts, tracker=(Jsonl(), Sums()))


def figures(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not is_measured(name)} for line in lines]


def test_what_was_built_is_found_under_its_place_whatever_holds_it(tmp_path: Path) -> None:
    made = recipe(
        tmp_path,
        reward=(Brightness(), Cached(of=Around(of=Counting()))),
        measure=Counting(),
        canary=(Aging(), HeldOutReward(of=Counting())),
    )
    assert list(run_state.stateful(assemble(made), [Sum(tmp_path)])) == [
        "reward.1.build.inner.inner",
        "measure.build",
        "canary.0.build",
        "canary.1.build",
        "canary.1.build.scorer",
        "tracker.0.open",
    ]


def test_a_run_that_is_stopped_at_every_step_has_the_figures_of_one_that_never_was(tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    train(everything(tmp_path), unbroken)
    stops = 0
    while train(everything(tmp_path), broken, stopped=lambda: True) is None:
        stops += 1
        assert stops < 4, "a run of four steps is stopped three times"
    assert [line["canary/aging"] for line in figures(unbroken)] == [0.01, 0.02, 0.03, 0.04]
    kept = [[{**line, "bytes/checkpoint": 0} for line in figures(run)] for run in (unbroken, broken)]
    assert kept[0] == kept[1]
    assert len({json.loads((run / "summary.json").read_text())["held_out"]["after"] for run in (unbroken, broken)}) == 1
    counts = [list(json.loads((run / "counts.json").read_text()).values()) for run in (unbroken, broken)]
    assert counts[0] == counts[1] == sorted(set(counts[0]))


def test_a_network_without_run_state_adds_nothing_to_the_checkpoint(tmp_path: Path) -> None:
    train(recipe(tmp_path, reward=(Around(of=Brightness()),)), tmp_path / "run")
    *_, newest = checkpoint.all_in(tmp_path / "run" / "checkpoints")
    assert json.loads((newest / "components.json").read_text()) == {"items": []}
    assert not (newest / "components.safetensors").exists()


def test_verify_restores_what_a_figure_depends_on(tmp_path: Path) -> None:
    run, telling = tmp_path / "run", Telling()
    train(everything(tmp_path), run)
    (run / "summary.json").unlink()
    again = everything(tmp_path)
    parts = {name: getattr(again, name) for name in ("reward", "measure", "canary")}
    train(recipe(tmp_path, **parts, tracker=(Jsonl(), telling)), run, verify=True)
    assert any(said.startswith("step 2 was repeated: all ") for said in telling.said)


def test_the_state_of_another_class_is_left_alone(tmp_path: Path) -> None:
    class Other(Counter):
        """Of another class."""

    saved, mine, other = Counter(), Counter(), Other()
    saved.count = 3
    run_state.restore({"a": mine, "b": other}, run_state.states({"a": saved, "b": saved}))
    assert (mine.count, other.count) == (3, 0)


class Failing(Counter):
    """Neither gives its state nor takes one up."""

    def run_state(self) -> Mapping[str, Any]:
        return {}[0]

    def load_run_state(self, state: Mapping[str, Any]) -> None:
        raise ValueError("too old")


def test_a_component_that_fails_at_its_state_is_named_with_its_place() -> None:
    with pytest.raises(RunError, match=r"^canary\.0\.build: run_state\(\) of Failing raised KeyError: 0"):
        run_state.states({"canary.0.build": Failing()})
    with pytest.raises(RunError, match=r"^canary\.0\.build: load_run_state\(\) of Failing raised ValueError: too old"):
        run_state.restore({"canary.0.build": Failing()}, {"canary.0.build": {"class": "Failing", "state": {}}})


class Slotted(Sum):
    """Holds a counter in a slot, and itself in a list."""

    __slots__ = ("inner", "others")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.inner, self.others = Counter(), [self, {"a": Counter()}, Counter()]


def test_slots_lists_and_circles_are_walked(tmp_path: Path) -> None:
    found = run_state.stateful(assemble(recipe(tmp_path)), [Slotted(tmp_path)])
    assert list(found) == ["tracker.0.open", "tracker.0.open.inner", "tracker.0.open.others.2"]


def test_measuring_the_signal_leaves_no_trace_in_run_state(tmp_path: Path) -> None:
    session = assemble(everything(tmp_path))
    parts = run_state.stateful(session)
    before = run_state.states(parts)
    signals(session, 0)
    assert run_state.states(parts) == before


def test_run_state_that_other_ranks_lose_is_warned_of() -> None:
    parts = {"reward.0.build": Counter(), "tracker.0.open": Counter()}
    assert run_state.warning(parts, 1) is None
    assert run_state.warning({"tracker.0.open": Counter()}, 2) is None
    assert str(run_state.warning(parts, 2)).startswith("reward.0.build: the run state of rank 0 is saved, and every")
