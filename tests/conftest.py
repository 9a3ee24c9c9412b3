"""torch comes first, so that annotations hold the real tensors and their shapes are checked; no test minds its time."""

from collections.abc import Iterator
from importlib import import_module

import pytest
import torch
from hypothesis import settings
from jaxtyping import config

torch.set_num_threads(1)
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="module")
def shapes_unchecked() -> Iterator[None]:
    """No call checks its shapes, which would take half the time of tests that do whole runs.

    The tests of what the runs call check them.
    """
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", before)


@pytest.fixture
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's peak is measured with matrix products of moments; `bench` takes a second, before each figure."""
    monkeypatch.setitem(import_module("margrpo.evaluate.measure").SIDE, "cpu", 64)
