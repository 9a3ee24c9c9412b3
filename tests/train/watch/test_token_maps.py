import math
from pathlib import Path

import numpy as np
import pytest
import torch

from margrpo.components.estimator import MultiTrajectory, Single
from margrpo.components.selector import Committed, Uncertain, Uncommitted
from margrpo.components.unmasking import Cosine
from margrpo.errors import RunError
from margrpo.pictures import token_maps
from margrpo.pictures.grid import laid_over, save_maps
from margrpo.run_folder import RunFolder
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.watch.held_out import validate
from margrpo.train.watch.token_maps import FRAMES, committed_at, maps_of


def test_the_step_that_commits_a_token_is_told_by_its_place_in_the_order() -> None:
    order = torch.tensor([[3, 0, 2, 1]])
    assert committed_at(order, (4, 3, 1, 0)).tolist() == [[0, 2, 1, 1]]


def test_maps_are_of_the_image_that_a_look_shows(tmp_path: Path) -> None:
    session = assemble(small.recipe(tmp_path))
    prompts = session.recipe.prompts.held_out().part(slice(2))
    maps, seen = maps_of(session, prompts), validate(session.pipeline, prompts, session.measure, 0)
    assert maps.steps.tolist() == [0, 1, 2]
    assert maps.frames.shape == (3, *seen.images.shape)
    assert torch.equal(maps.frames[-1], (seen.images.clamp(0, 1) * 255).round().to(torch.uint8))
    assert not torch.equal(maps.frames[0], maps.frames[-1])
    for step in range(3):
        assert torch.equal(maps.selected[step], maps.committed == step)  # the small recipe selects what is committed


def test_maps_show_what_selector_and_estimator_do(tmp_path: Path) -> None:
    estimator = MultiTrajectory(trajectories=2, where=Uncertain(fraction=0.5), weight=3.0)
    recipe = small.recipe(tmp_path, side=4, selector=Uncommitted(), estimator=estimator)
    session = assemble(recipe)
    maps = maps_of(session, recipe.prompts.held_out().part(slice(2)))
    assert torch.equal(maps.selected, torch.stack([maps.committed > step for step in range(3)]))
    assert set(maps.weight.unique().tolist()) == {0.0, 1.0, 3.0}
    most = maps.spread.topk(8, dim=1).indices
    uncertain = torch.zeros_like(maps.spread, dtype=torch.bool).scatter(1, most, True)
    assert torch.equal(maps.weight == 3.0, maps.selected & uncertain)
    assert bool(maps.gain[0].isnan().all())
    assert torch.equal(maps.gain[1].isnan(), maps.committed == 0)
    assert bool((maps.spread > 0).all())


def test_of_many_steps_a_few_are_looked_at_the_first_and_the_last_among_them(tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, side=6, unmasking=Cosine(steps=30), selector=Committed(), estimator=Single())
    maps = maps_of(assemble(recipe), recipe.prompts.held_out().part(slice(1)))
    assert len(maps.steps) == FRAMES
    assert (int(maps.steps[0]), int(maps.steps[-1])) == (0, 29)
    assert int(maps.committed.max()) == 29


def arrays(side: int = 2) -> dict[str, np.ndarray]:
    tokens = side**2
    some = np.arange(2 * tokens, dtype=np.float32).reshape(2, tokens)
    per_step = np.stack([some, np.full_like(some, math.nan)])
    frames = np.random.default_rng(0).integers(255, size=(2, 2, 3, 8, 8), dtype=np.uint8)
    layers = {"committed": some.astype(np.int64), "spread": some, "kl": some}
    layers |= {"gain": per_step, "selected": per_step > 3, "weight": per_step}
    return {"steps": np.array([0, 5]), "frames": frames, **layers}


def test_a_file_of_maps_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = RunFolder(tmp_path).map_file(20)
    token_maps.write(file, arrays(), ["a cat", "two dögs"])
    assert file.name == "step-000020.safetensors"
    _, dogs = token_maps.read(file)
    assert (dogs.caption, dogs.steps, dogs.side) == ("two dögs", (0, 5), 2)
    assert np.array_equal(dogs.frames[1], np.moveaxis(arrays()["frames"][1, 1], 0, -1))
    by_name = {layer.name: layer for layer in dogs.layers}
    assert by_name["spread"].values.tolist() == [[4, 5, 6, 7]]
    assert by_name["gain"].mean().tolist() == [4, 5, 6, 7]
    assert not list(file.parent.glob("*.partial"))
    save_maps(tmp_path / "maps.png", [dogs])
    assert (tmp_path / "maps.png").stat().st_size > 1000


def test_a_damaged_file_of_maps_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"junk")
    with pytest.raises(RunError, match=r"x\.safetensors: cannot be read as token maps \(.*\); remove it"):
        token_maps.read(tmp_path / "x.safetensors")


def test_what_is_not_known_leaves_the_image_as_it_is() -> None:
    from PIL import Image

    grey = Image.new("RGB", (4, 4), (100, 100, 100))
    over = np.asarray(laid_over(grey, np.array([[math.nan, 0.0], [1.0, math.nan]])))
    assert over[0, 0].tolist() == over[3, 3].tolist() == [100, 100, 100]
    assert over[3, 0].mean() > 180 > over[0, 3].mean()
    assert np.asarray(laid_over(grey, np.full((2, 2), math.nan))).tolist() == np.asarray(grey).tolist()
