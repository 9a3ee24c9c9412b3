"""Legibility of the text that a prompt asks for, as a reward."""

from importlib.util import find_spec

from margrpo import at_least, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.errors import PluginError
from margrpo.records import Case, Prompt, Traits

PARAMETERS = 7_790_994
"""Float32 numbers in the two model files that RapidOCR 3.10 ships, by their size: 9,929,594 and 21,234,383 bytes."""


@component
class Ocr:
    """1 − d/n, with the edit distance d from the text that RapidOCR reads to the n letters that the prompt quotes.

    As the text-rendering reward of Flow-GRPO (arXiv 2505.05470): 1 is the text itself, 0 is nothing of it. Lines are
    read from top to bottom and joined. The models are PP-OCRv6's small ones, which RapidOCR's wheel carries; nothing is
    downloaded.
    """

    ignore_case: bool = setting(True, "whether capitals and small letters count as equal")
    ignore_spaces: bool = setting(True, "whether spaces and line breaks are left out before texts are compared")
    extra_is_free: bool = setting(False, "whether text besides the required text does not lower the score")
    side: int = setting(
        512, "pixels of the longer side at which text is searched; smaller is faster", check=at_least(64)
    )
    threads: int = setting(1, "threads of the reader", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(low=0.0, high=1.0, reads=("text",), may_read=("metadata",), parameters=PARAMETERS)

    def require(self) -> None:
        """Raise `PluginError` if a package is missing."""
        for name in ("rapidocr", "onnxruntime", "rapidfuzz"):
            if find_spec(name) is None:
                raise PluginError(f"reward ocr needs {name}, which is not installed; pip install {name}")

    def build(self, device: str) -> Scorer:
        """Load the reader with its models, on the CPU whatever the device."""
        self.require()
        from margrpo_ocr.reading import Reader, Reading

        return Reading(
            Reader(side=self.side, threads=self.threads),
            ignore_case=self.ignore_case,
            ignore_spaces=self.ignore_spaces,
            extra_is_free=self.extra_is_free,
        )

    def cases(self) -> list[Case]:
        """Cases of one picture: with its own text, with a changed letter, and with other words."""
        from margrpo_ocr.picture import picture

        image = picture("FRESH COFFEE")
        return [
            Case("right", image, Prompt('a sign that says "Fresh Coffee"'), 0.99, 1.0),
            Case("nearly right", image, Prompt('a sign that says "Fresh Toffee"'), 0.85, 0.95),
            Case("wrong", image, Prompt('a sign that says "Mind the gap"'), 0.0, 0.35),
        ]
