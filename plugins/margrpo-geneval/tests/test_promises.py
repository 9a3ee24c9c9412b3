from collections.abc import Callable
from pathlib import Path
from typing import Any

import margrpo_geneval
from margrpo_geneval.blobs import Blobs
from margrpo_geneval.clip import Clip
from margrpo_geneval.geneval import Geneval
from margrpo_geneval.mask2former import Mask2former
from margrpo_geneval.suite import Suite

from margrpo.records import Prompt
from margrpo.testing import every_check

from . import tiny


def of_photographs(folder: Path) -> Any:
    """As in the public evaluation."""
    detector = Mask2former(checkpoint=str(tiny.mask2former(folder / "mask2former")), least=0.0)
    return Geneval(detector=detector, colour_classifier=Clip(checkpoint=str(tiny.clip(folder / "clip"))), threshold=0.0)


@every_check(
    margrpo_geneval, examples={"reward.geneval": Geneval(detector=Blobs()), "suite.geneval": Suite(detector=Blobs())}
)
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()


PROMPTS = [
    Prompt("two dogs", metadata={"include": [{"class": "dog", "count": 2}]}),
    Prompt("a red cat", metadata={"include": [{"class": "cat", "count": 1, "color": "red"}]}),
]


@every_check(
    margrpo_geneval,
    examples={"reward.geneval": of_photographs, "suite.geneval": Suite(detector=Blobs())},
    prompts=PROMPTS,
)
def test_it_keeps_every_promise_on_photographs(check: Callable[[], None]) -> None:
    check()
