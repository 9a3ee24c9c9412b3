"""A suite of the held-out captions of the world of shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

from margrpo.declare import at_least, component, setting
from margrpo.records import Prompt


@component
class Shapes:
    """Held-out captions of six kinds, scored by whether an image shows exactly the required objects."""

    count: int | None = setting(None, "number of captions, balanced over kinds; default: all", check=at_least(1))

    def require(self) -> None:
        """Do nothing: the captions ship with the package."""

    def prompts(self) -> list[Prompt]:
        """The held-out captions."""
        from margrpo.worlds.shapes import held_out_captions

        return [Prompt(text) for text in held_out_captions(self.count)]

    def category(self, prompt: Prompt) -> str:
        """The kind of a caption."""
        from margrpo.worlds.shapes import parse

        return parse(prompt.text).kind

    def rewards(self) -> Sequence[Mapping[str, Any]]:
        """The reward `shapes` with the strict score."""
        return [{"use": "shapes", "strictness": 1.0}]
