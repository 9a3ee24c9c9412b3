import pytest
import torch

from margrpo.cli.threads import MOST, settle_threads


@pytest.fixture(autouse=True)
def _threads_are_put_back() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_few_threads_are_used_unless_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(MOST + 3)
    assert 1 <= settle_threads() <= MOST


def test_the_environment_has_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    torch.set_num_threads(7)
    assert settle_threads() == 7
