import pytest


@pytest.fixture(autouse=True)
def quick(small_products: None) -> None:
    """What is measured beside a figure is no part of these tests."""
