from pathlib import Path

import pytest

from margrpo.components.parallel import Ddp, Fsdp, Single
from margrpo.errors import ParallelError, RecipeError
from margrpo.recipe import load

QUICKSTART = Path(__file__).parents[2] / "recipes" / "quickstart.toml"


def test_one_process_refuses_to_be_one_of_several():
    Single().require(1)
    with pytest.raises(ParallelError, match=r'parallel.use = "single", and torchrun has started 4 processes'):
        Single().require(4)
    for several in (Ddp(), Fsdp()):
        several.require(4)


def test_without_torchrun_every_kind_is_one_process():
    for parallel in (Single(), Ddp(), Fsdp()):
        processes = parallel.join("cpu")
        assert (processes.rank, processes.world_size) == (0, 1)
        processes.close()


def test_graphs_of_weights_that_move_are_refused():
    with pytest.raises(RecipeError, match=r"run.compile = true records where the weights lie, and parallel moves them"):
        load(QUICKSTART, ["run.compile=true", "parallel.use=fsdp"])
    assert load(QUICKSTART, ["run.compile=true", "parallel=ddp"]).parallel == Ddp()
