from collections.abc import Iterator

import pytest

from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.jpeg_compressibility import JpegCompressibility
from margrpo.serve.limits import Limits
from tests.serve.rewards import TOKEN
from tests.serve.serving import serving


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(Brightness(), JpegCompressibility(), token=TOKEN) as found:
        yield found


@pytest.fixture(scope="module")
def narrow() -> Iterator[str]:
    limits = Limits(bytes=150_000, images=8, side=64, pixels=5000, seconds=5.0)
    with serving(Brightness(), token=TOKEN, limits=limits) as found:
        yield found
