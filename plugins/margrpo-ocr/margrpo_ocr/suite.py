"""Text in pictures as a suite."""

from collections.abc import Mapping, Sequence
from typing import Any

from margrpo import component, setting
from margrpo.records import Prompt

SCENES = ("a sign that says", "a poster that says", "a book cover with the title", "a shop window that reads")
TEXTS = (
    *("OPEN", "Sale", "Exit", "COFFEE", "Welcome", "1984", "Taxi", "LIBRARY"),
    *(
        "Mind the gap",
        "Happy birthday",
        "No parking",
        "Fresh bread",
        "Keep left",
        "Room 101",
        "Good morning",
        "Ice cream",
    ),
    *(
        "Please do not feed the canaries",
        "The early canary catches the worm",
        "All roads lead to Rome",
        "Once upon a time in the west",
        "Back in five minutes",
        "Every picture tells a story",
        "Beware of the sleeping dog",
        "The quick brown fox jumps",
    ),
)


@component
class Suite:
    """96 prompts for words, phrases and lines in four scenes, scored by the share that can be read."""

    ignore_case: bool = setting(True, "whether capitals and small letters count as equal")

    def require(self) -> None:
        """Check what the reward requires."""
        from margrpo_ocr.ocr import Ocr

        Ocr().require()

    def prompts(self) -> list[Prompt]:
        """The prompts: each text in each scene."""
        return [Prompt(f'{scene} "{text}"') for text in TEXTS for scene in SCENES]

    def category(self, prompt: Prompt) -> str:
        """The category by the number of words."""
        words = len(prompt.text.split('"')[1].split())
        return "word" if words == 1 else "phrase" if words < 4 else "line"

    def rewards(self) -> Sequence[Mapping[str, Any]]:
        """The reward `ocr`."""
        return [{"use": "ocr", "ignore_case": self.ignore_case}]
