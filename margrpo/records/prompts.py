"""Prompts, before and after they are repeated for their groups."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from jaxtyping import Int

from margrpo.declare import record
from margrpo.lazy import Tensor, torch

Key = tuple[int | str, ...]


NO_LABEL = -1


@record
class Prompt:
    """One prompt before it is repeated for its group; label NO_LABEL where it names no class."""

    text: str
    label: int = NO_LABEL
    metadata: Mapping[str, Any] = field(default_factory=dict)


@record
class Prompts:
    """What to draw, one entry per image; images of one group share a prompt."""

    text: tuple[str, ...]
    label: Int[Tensor, "b"]
    metadata: tuple[Mapping[str, Any], ...]
    group: Int[Tensor, "b"]
    keys: tuple[Key, ...]

    def __len__(self) -> int:
        return len(self.text)

    def part(self, which: slice) -> "Prompts":
        """A slice of the images."""
        return Prompts(self.text[which], self.label[which], self.metadata[which], self.group[which], self.keys[which])

    def at(self, places: Sequence[int]) -> "Prompts":
        """The images at these places, in this order."""
        index = torch.tensor(places, device=self.label.device)
        return Prompts(
            tuple(self.text[i] for i in places),
            self.label[index],
            tuple(self.metadata[i] for i in places),
            self.group[index],
            tuple(self.keys[i] for i in places),
        )

    @classmethod
    def concat(cls, parts: "Sequence[Prompts]") -> "Prompts":
        """The images of each part, one after the other."""
        first = {
            name: tuple(itertools.chain(*(getattr(p, name) for p in parts))) for name in ("text", "metadata", "keys")
        }
        return cls(label=torch.cat([p.label for p in parts]), group=torch.cat([p.group for p in parts]), **first)

    def distinct(self, by: Sequence[str] = ("text",)) -> "tuple[list[int], Int[Tensor, 'b']]":
        """Places of the first image of each distinct prompt, and for every image which of those is its own.

        Prompts are told apart by the fields in `by`: "text", "label", "metadata". What is made once for each distinct
        prompt is then `made[which]`, one for each image.
        """
        values = {
            "text": self.text,
            "label": self.label.tolist(),
            "metadata": [_frozen(each) for each in self.metadata],
        }
        each = list(zip(*(values[name] for name in by), strict=True))
        first = {key: place for place, key in reversed(list(enumerate(each)))}
        places = sorted(first.values())
        number = {each[place]: position for position, place in enumerate(places)}
        return places, torch.tensor([number[key] for key in each], dtype=torch.int64, device=self.label.device)

    def to(self, device: str) -> "Prompts":
        """The same with its tensors on a device."""
        return Prompts(self.text, self.label.to(device), self.metadata, self.group.to(device), self.keys)


def _frozen(metadata: Mapping[str, Any]) -> str:
    """Metadata as a text that is equal where they are."""
    return json.dumps(dict(metadata), default=repr)


def grouped(prompts: Sequence[Prompt], group: int) -> Prompts:
    """Each prompt `group` times in a row, keyed by (its position, the sample in its group)."""
    repeated = [prompt for prompt in prompts for _ in range(group)]
    return Prompts(
        text=tuple(prompt.text for prompt in repeated),
        label=torch.tensor([prompt.label for prompt in repeated], dtype=torch.int64),
        metadata=tuple(prompt.metadata for prompt in repeated),
        group=torch.arange(len(prompts)).repeat_interleave(group),
        keys=tuple((position, sample) for position in range(len(prompts)) for sample in range(group)),
    )
