import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from margrpo.errors import RunError
from margrpo.train.run.packing import pack, unpack

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
tensors = st.lists(st.floats(width=32, allow_nan=False), max_size=3).map(torch.tensor)
values = st.recursive(
    plain | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


@given(values)
def test_whatever_is_packed_comes_back_by_way_of_json(value: Any) -> None:
    packed, found = pack(value, "state")
    assert equal(unpack(json.loads(json.dumps(packed)), found), value)


def test_each_tensor_has_its_path() -> None:
    _, found = pack({"momentum": [torch.ones(1), {3: torch.zeros(1)}]}, "optimizer")
    assert list(found) == ["optimizer.momentum.0", "optimizer.momentum.1.3"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"generator": torch.Generator()}, "the state reward.generator cannot be saved: it is a Generator"),
        ([{"seen": {1}}], "the state reward.0.seen cannot be saved: it is a set"),
        ({(1, 2): 3}, "the state reward cannot be saved: its keys must be strings or whole numbers"),
    ],
)
def test_what_cannot_be_saved_is_named(value: Any, said: str) -> None:
    with pytest.raises(RunError, match=said.replace("(", r"\(")):
        pack(value, "reward")
