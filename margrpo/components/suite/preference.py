"""A suite of any rewards over a file of prompts."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from margrpo.contracts import Reward
from margrpo.declare import Check, component, setting
from margrpo.prompt_file import prompt_of_object, read_prompts
from margrpo.records import Prompt

WITHOUT = "other"
"""The category of a prompt whose metadata has none."""
some = Check(lambda rewards: len(rewards) > 0, "at least one")


def of_text(line: str, where: str) -> Prompt:
    """The prompt of a line of text."""
    return Prompt(line)


@component
class Preference:
    """Any rewards over a file of prompts, such as scores of human preference."""

    path: str = setting(meaning="UTF-8 file with one prompt per line; JSON objects if its name ends in .jsonl")
    reward: tuple[Reward, ...] = setting(meaning="rewards that score the images", check=some)
    key: str = setting("category", "key of a prompt's metadata that holds its category")

    def require(self) -> None:
        """Read the file."""
        assert self._prompts

    def prompts(self) -> list[Prompt]:
        """The prompts of the file, in order."""
        return list(self._prompts)

    def category(self, prompt: Prompt) -> str:
        """The category in the prompt's metadata."""
        return str(prompt.metadata.get(self.key, WITHOUT))

    def rewards(self) -> Sequence[Reward]:
        """The rewards of the settings."""
        return self.reward

    @cached_property
    def _prompts(self) -> tuple[Prompt, ...]:
        return read_prompts(self.path, prompt_of_object if Path(self.path).suffix == ".jsonl" else of_text)
