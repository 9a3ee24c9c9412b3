"""Any rewards over a file of prompts."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from margrpo.contracts import Reward
from margrpo.declare import Check, component, setting
from margrpo.prompt_file import prompt_of_object, read_prompts
from margrpo.records import Prompt

WITHOUT = "other"
"""The category of a prompt that says none."""
some = Check(lambda rewards: len(rewards) > 0, "at least one")


def of_text(line: str, where: str) -> Prompt:
    """A line as it is."""
    return Prompt(line)


@component
class Preference:
    """Any rewards over a file of prompts: what people prefer, or whatever else can be scored."""

    path: str = setting(meaning="UTF-8 file with a prompt a line; JSON objects where its name ends in .jsonl")
    reward: tuple[Reward, ...] = setting(meaning="what scores the pictures", check=some)
    key: str = setting("category", "key of a prompt's metadata that says its category")

    def require(self) -> None:
        """Read the file."""
        assert self._prompts

    def prompts(self) -> list[Prompt]:
        """Those of the file, in its order."""
        return list(self._prompts)

    def category(self, prompt: Prompt) -> str:
        """What its metadata say."""
        return str(prompt.metadata.get(self.key, WITHOUT))

    def rewards(self) -> Sequence[Reward]:
        """As they are set."""
        return self.reward

    @cached_property
    def _prompts(self) -> tuple[Prompt, ...]:
        return read_prompts(self.path, prompt_of_object if Path(self.path).suffix == ".jsonl" else of_text)
