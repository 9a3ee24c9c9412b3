from collections.abc import Callable

import margrpo_ocr

from margrpo.testing import every_check


@every_check(margrpo_ocr)
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
