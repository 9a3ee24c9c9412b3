from tests.serve.conftest import address, narrow

__all__ = ["address", "narrow"]
