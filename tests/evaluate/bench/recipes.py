from pathlib import Path

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.selector import Consistent, Uncertain
from margrpo.components.timesteps import Random
from margrpo.components.unmasking import Cosine
from margrpo.recipe import Recipe
from margrpo.testing import small


def recipe(folder: Path, **tables: object) -> Recipe:
    parts = {
        "unmasking": Cosine(steps=8),
        "selector": Consistent(),
        "estimator": MultiTrajectory(trajectories=3, where=Uncertain(fraction=0.3)),
        "timesteps": Random(ar_steps=3, transitions=2),
    }
    return small.recipe(folder, side=4, **{**parts, **tables})
