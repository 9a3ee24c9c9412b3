"""Prompts from a JSON Lines file."""

import json
from functools import cached_property
from typing import Any

from margrpo.declare import between, component, positive, setting
from margrpo.errors import DataError
from margrpo.maths.dealing import Prompt, deal, grouped
from margrpo.prompt_file import split_files
from margrpo.records import Prompts


@component
class Jsonl:
    """Every line is a JSON object: "text", optionally "label" (a class index), and metadata for the rewards."""

    path: str = setting(meaning="UTF-8 file with one JSON object a line, relative to the working directory")
    held_out_path: str | None = setting(None, "a second such file to hold out; none: a share of the first")
    held_out_share: float = setting(0.1, "share to hold out if there is no second file", check=between(0, 1))
    prompts: int = setting(4, "prompts per step", check=positive)
    group: int = setting(8, "images per prompt", check=positive)

    def require(self) -> None:
        """Read the files."""
        assert self._split

    def draw(self, step: int, seed: int) -> Prompts:
        """The prompts of one step; none comes again before all have come."""
        train, _ = self._split
        return grouped([train[i] for i in deal(step, seed, count=len(train), per_step=self.prompts)], self.group)

    def held_out(self) -> Prompts:
        """The held-out prompts in the file's order, one image each."""
        return grouped(self._split[1], 1)

    @cached_property
    def _split(self) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
        return split_files(self.path, self.held_out_path, self.held_out_share, parse=prompt_of_object)


def prompt_of_object(line: str, where: str) -> Prompt:
    """The prompt that a line of JSON holds; anything else is a `DataError` that says where."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno}); write one object a line.") from error
    if not isinstance(found, dict):
        raise DataError(f'{where}: {_shown(found)} is not an object; write it as {{"text": ...}}.')
    text, label = found.pop("text", None), found.pop("label", None)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f'{where}: "text" is {_shown(text)}, and must be a string that is not blank.')
    if label is None:
        return Prompt(text.strip(), metadata=found)
    if isinstance(label, bool) or not isinstance(label, int) or label < 0:
        raise DataError(f'{where}: "label" is {_shown(label)}, and must be an integer, 0 or more, or be left out.')
    return Prompt(text.strip(), label, found)


def _shown(value: Any) -> str:
    """A value as JSON, cut to a length that fits a sentence; absent where it is None."""
    return "missing" if value is None else json.dumps(value, ensure_ascii=False)[:60]
