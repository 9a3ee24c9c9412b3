import pytest


@pytest.fixture(autouse=True, scope="module")
def whole_runs(shapes_unchecked: None) -> None:
    """Most tests here do whole runs."""
