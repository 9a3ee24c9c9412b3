from pathlib import Path

import pytest
import torch

from margrpo.components.selector import Every
from margrpo.errors import RunError
from margrpo.evaluate.bench.bench import Bench
from margrpo.train.timer import Timer
from tests.evaluate.bench.recipes import recipe

METER = Timer("cpu")


def test_more_images_than_there_are_are_refused(tmp_path: Path):
    with pytest.raises(RunError, match="--images 5: the recipe draws 4 images a step; give 4 or fewer, or set more"):
        Bench(recipe(tmp_path), images=5)


def test_the_update_of_some_live_images_leaves_the_others_out(tmp_path: Path):
    bench = Bench(recipe(tmp_path, selector=Every()), ar_steps=1)
    rollout = bench.drawn()
    one, all_ = (bench.update(rollout, METER, live=live).evaluations for live in (1, None))
    assert 0 < one < all_
    assert torch.count_nonzero(bench.advantages) == 4
