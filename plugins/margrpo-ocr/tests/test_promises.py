from collections.abc import Callable

from margrpo.testing import every_check

import margrpo_ocr


@every_check(margrpo_ocr)
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
