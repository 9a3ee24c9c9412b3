from collections.abc import Callable

import margrpo_geneval
from margrpo_geneval.blobs import Blobs
from margrpo_geneval.geneval import Geneval

from margrpo.testing import every_check


@every_check(margrpo_geneval, examples={"reward.geneval": Geneval(detector=Blobs())})
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
