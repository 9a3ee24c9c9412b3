"""The list of figures is what runs write: no more, no less."""

import json
from pathlib import Path
from typing import Any

import pytest

from margrpo.components.canary import Dark
from margrpo.components.optimizer import AdamW
from margrpo.components.penalty import GaussianKL
from margrpo.components.reference import Frozen
from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.jpeg_compressibility import JpegCompressibility
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.recipe.schema import Run
from margrpo.testing import small
from margrpo.train.loop import train
from margrpo.train.run.figures import FIGURES, PRETRAINING, figure_of, is_measured
from tests.cli.command import ROOT, run


def written(folder: Path) -> set[str]:
    """The names of all figures in a run's metrics."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {name for line in lines for name in line} - {"step"}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("tuned")
    settings = Run(steps=4, device="cpu", eval_prompts=2, held_out=2, eval_every=2, save_every=2, signal_every=4)
    rewards = (Brightness(), JpegCompressibility())
    recipe = small.recipe(
        folder,
        run=settings,
        reward=rewards,
        canary=(Dark(),),
        optimizer=AdamW(lr=1e-3),
        penalty=GaussianKL(reference=Frozen()),
        tracker=(Jsonl(),),
    )
    train(recipe, folder / "run")
    return written(folder / "run")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    sets = ("run.steps=2", "run.batch=4", "run.held_out=4", "run.eval_prompts=4", "run.eval_every=1")
    words = [word for each in sets for word in ("--set", each)]
    assert run("pretrain", str(ROOT / "recipes" / "shapes_base.toml"), *words, "--out", folder).exit_code == 0
    return written(folder)


def test_every_figure_of_a_run_is_listed_and_every_listed_one_is_written(tuned: set[str]) -> None:
    found = {name: figure_of(name) for name in tuned}
    assert not [name for name, figure in found.items() if figure is None or figure.when == (PRETRAINING,)]
    assert {figure.name for figure in found.values() if figure} == {
        figure.name for figure in FIGURES if figure.when != (PRETRAINING,)
    }


def test_the_same_of_a_pre_training_run(pretrained: set[str]) -> None:
    assert pretrained == {figure.name for figure in FIGURES if PRETRAINING in figure.when}


def test_a_reward_may_be_called_anything() -> None:
    assert figure_of("reward/rewards/mine.py:sharpness") is figure_of("reward/NAME")
    assert figure_of("reward_correlation/shapes/my.py:f") is figure_of("reward_correlation/A/B")
    assert figure_of("seconds/nothing") is None
    assert figure_of("nothing") is None
    assert is_measured("seconds/learn")
    assert not is_measured("reward/seconds")
