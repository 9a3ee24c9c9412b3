"""The held-out captions of the world of shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

from margrpo.declare import at_least, component, setting
from margrpo.records import Prompt


@component
class Shapes:
    """Held-out captions of six kinds, and whether each picture shows exactly what is asked for."""

    count: int | None = setting(
        None, "captions, of all kinds as evenly as they last; all of them unless given", check=at_least(1)
    )

    def require(self) -> None:
        """They ship with the package."""

    def prompts(self) -> list[Prompt]:
        """The captions."""
        from margrpo.worlds.shapes import held_out_captions

        return [Prompt(text) for text in held_out_captions(self.count)]

    def category(self, prompt: Prompt) -> str:
        """The kind of a caption."""
        from margrpo.worlds.shapes import parse

        return parse(prompt.text).kind

    def rewards(self) -> Sequence[Mapping[str, Any]]:
        """The strict score."""
        return [{"use": "shapes", "strictness": 1.0}]
