from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from margrpo.components.estimator import MultiTrajectory, RaoBlackwell
from margrpo.components.optimizer import AdamW
from margrpo.components.prompts.shapes import Shapes as Captions
from margrpo.components.selector import Uncommitted
from margrpo.recipe.schema import Run
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.loop import train
from margrpo.train.watch.signal_to_noise import named, signals

CHAINS = (MultiTrajectory(trajectories=1), RaoBlackwell(trajectories=8))


def recipe(folder: Path, **run: Any) -> Any:
    settings = Run(**{"steps": 3, "device": "cpu", "eval_prompts": 2, "held_out": 2, "maps": 0, **run})
    parts = {"selector": Uncommitted(), "estimator": MultiTrajectory(trajectories=4), "optimizer": AdamW(lr=1e-2)}
    return small.recipe(folder, side=3, run=settings, prompts=Captions(prompts=3, group=4), **parts)


def test_the_recipes_own_estimator_is_one_of_those_that_are_tried(tmp_path: Path) -> None:
    found = signals(assemble(recipe(tmp_path)), 0)
    assert set(found) == {"own", *named(Run().signal_estimators)}
    own, same = found["own"].moments, found["multi_trajectory_4"].moments
    assert own.count == 3
    assert own.signal == pytest.approx(same.signal, rel=1e-6)
    assert own.noise == pytest.approx(same.noise, rel=1e-6)
    assert found["single"].moments.noise != pytest.approx(same.noise, rel=1e-3)


def test_more_chains_and_less_noise_in_each_mean_less_noise_in_the_update(tmp_path: Path) -> None:
    found = signals(assemble(recipe(tmp_path, signal_estimators=CHAINS)), 0)
    assert found["rao_blackwell_8"].moments.noise < found["multi_trajectory_1"].moments.noise


def test_a_run_that_is_measured_ends_as_one_that_is_not(tmp_path: Path) -> None:
    for name, every in (("without", None), ("with", 2)):
        train(recipe(tmp_path, signal_every=every), tmp_path / name)
    ours, theirs = (load_file(tmp_path / name / "final" / "policy.safetensors") for name in ("without", "with"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_estimators_of_one_name_are_numbered() -> None:
    assert list(named(CHAINS)) == ["multi_trajectory_1", "rao_blackwell_8"]
    assert list(named((CHAINS[0], CHAINS[0]))) == ["multi_trajectory_1_0", "multi_trajectory_1_1"]
