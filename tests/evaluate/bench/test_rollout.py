from pathlib import Path

import pytest

from margrpo.components.guidance import Constant, Linear
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.rollout import measure_rollout
from tests.evaluate.bench.recipes import recipe


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("guidance", [Constant(), Linear(weight=3.0)])
def test_a_rollout_does_what_is_needed_and_no_more(training: bool, guidance: object, tmp_path: Path):
    bench = Bench(recipe(tmp_path, guidance=guidance), images=2)
    drawn = measure_rollout(bench, repeats=1, training=training)
    done = sum(flops for part, (_, flops) in drawn.figures.cost.parts.items() if part != "codec")
    assert done == drawn.useful
    assert ("trajectories" in drawn.figures.cost.parts) is training
