from pathlib import Path
from typing import Any

import pytest
import torch
from margrpo_example.bag import Bag

from margrpo import MargrpoError
from margrpo.components.attention import Sdpa
from margrpo.testing import small
from margrpo.weights import modules


def bag(**settings: Any) -> Bag:
    made = small.policy()
    parts = {"conditioner": made.conditioner, "parameterization": made.parameterization}
    return Bag(**{**parts, "tokens": 4, "channels": 3, "width": 8, **settings})


def test_it_trains_in_a_whole_step(tmp_path: Path) -> None:
    before, (after, figures) = bag().build(attention=Sdpa()), small.trained(small.recipe(tmp_path, policy=bag()))
    assert figures["gradient_norm"] > 0
    assert not all(map(torch.equal, before.backbone.parameters(), after.backbone.parameters()))
    assert all(map(torch.equal, before.head.parameters(), after.head.parameters()))


def test_the_order_of_known_tokens_makes_no_difference() -> None:
    model, tokens = bag().build(attention=Sdpa()), torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0))
    unknown, prefix = torch.tensor([[True, False, False, False]]), model.null_prefix(1)
    swapped = tokens[:, [0, 3, 1, 2]]
    assert torch.allclose(
        model.condition(tokens, unknown, prefix), model.condition(swapped, unknown, prefix), atol=1e-6
    )


def test_its_weights_are_read_from_the_file_of_a_run(tmp_path: Path) -> None:
    first = bag(seed=1).build(attention=Sdpa())
    modules.write(tmp_path / "policy.safetensors", {"policy": first})
    again = bag(checkpoint=str(tmp_path / "policy.safetensors"), weights="model").build(attention=Sdpa())
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))


def test_weights_without_a_file_are_refused() -> None:
    assert bag(weights="model").problems()[0].startswith("checkpoint is missing; give a path")
    with pytest.raises(MargrpoError, match=r"policy\.checkpoint is empty"):
        bag(weights="model").build(attention=Sdpa())
