"""Prompts from a JSON Lines file."""

from functools import cached_property

from margrpo.declare import between, component, positive, setting
from margrpo.maths.dealing import deal
from margrpo.prompt_file import prompt_of_object, split_files
from margrpo.records import Prompt, Prompts, grouped


@component
class Jsonl:
    """Every line is a JSON object: "text", optionally "label" (a class index), and metadata for the rewards."""

    path: str = setting(meaning="UTF-8 file with one JSON object per line, relative to the working directory")
    held_out_path: str | None = setting(
        None, "file of held-out prompts, in the format of `path`; default: a share of `path`"
    )
    held_out_share: float = setting(
        0.1, "share of `path` to hold out if `held_out_path` is not set", check=between(0, 1)
    )
    prompts: int = setting(4, "prompts per step", check=positive)
    group: int = setting(8, "images per prompt", check=positive)

    def require(self) -> None:
        """Read the files."""
        assert self._split

    def draw(self, step: int, seed: int) -> Prompts:
        """The prompts of a step; a prompt comes again only after all prompts have come."""
        train, _ = self._split
        return grouped([train[i] for i in deal(step, seed, count=len(train), per_step=self.prompts)], self.group)

    def held_out(self) -> Prompts:
        """The held-out prompts in the file's order, one image each."""
        return grouped(self._split[1], 1)

    @cached_property
    def _split(self) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
        return split_files(self.path, self.held_out_path, self.held_out_share, parse=prompt_of_object)
