"""Prompts, single or repeated for the images of their groups."""

import itertools
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
    """A single prompt.

    - `text`: the caption.
    - `label`: the class; NO_LABEL if the prompt does not name a class.
    - `metadata`: anything that rewards read besides, such as the objects to count.
    """

    text: str
    label: int = NO_LABEL
    metadata: Mapping[str, Any] = field(default_factory=dict)


@record
class Prompts:
    """The prompts of a batch of images, one entry per image.

    - `text`, `label`, `metadata`: those fields of each image's `Prompt`.
    - `group`: number of each image's group; the images of a group share a prompt.
    - `keys`: key of each image's noise.
    """

    text: tuple[str, ...]
    label: Int[Tensor, "b"]
    metadata: tuple[Mapping[str, Any], ...]
    group: Int[Tensor, "b"]
    keys: tuple[Key, ...]

    def __len__(self) -> int:
        return len(self.text)

    def part(self, which: slice) -> "Prompts":
        """The prompts of a slice of the images."""
        return Prompts(self.text[which], self.label[which], self.metadata[which], self.group[which], self.keys[which])

    def at(self, places: Sequence[int]) -> "Prompts":
        """The prompts of the images at `places`, in the order of `places`."""
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
        """The prompts of all `parts`, part by part."""
        first = {
            name: tuple(itertools.chain(*(getattr(p, name) for p in parts))) for name in ("text", "metadata", "keys")
        }
        return cls(label=torch.cat([p.label for p in parts]), group=torch.cat([p.group for p in parts]), **first)

    def distinct(self, by: Sequence[str] = ("text",)) -> "tuple[list[int], Int[Tensor, 'b']]":
        """Places of the first image of each distinct prompt, and for each image the index of its distinct prompt.

        Prompts are compared by the fields in `by`: "text", "label", "metadata". If a row of `made` belongs to each
        distinct prompt, then `made[index]` has a row for each image.
        """
        values = {
            "text": self.text,
            "label": self.label.tolist(),
            "metadata": list(map(id, self.metadata)),
        }
        each = list(zip(*(values[name] for name in by), strict=True))
        first = {key: place for place, key in reversed(list(enumerate(each)))}
        places = sorted(first.values())
        number = {each[place]: position for position, place in enumerate(places)}
        return places, torch.tensor([number[key] for key in each], dtype=torch.int64, device=self.label.device)

    def to(self, device: str) -> "Prompts":
        """A copy whose tensors are on `device`."""
        return Prompts(self.text, self.label.to(device), self.metadata, self.group.to(device), self.keys)


def grouped(prompts: Sequence[Prompt], group: int) -> Prompts:
    """Repeat each prompt `group` times in a row; an image's key is (position of its prompt, sample in its group)."""
    repeated = [prompt for prompt in prompts for _ in range(group)]
    return Prompts(
        text=tuple(prompt.text for prompt in repeated),
        label=torch.tensor([prompt.label for prompt in repeated], dtype=torch.int64),
        metadata=tuple(prompt.metadata for prompt in repeated),
        group=torch.arange(len(prompts)).repeat_interleave(group),
        keys=tuple((position, sample) for position in range(len(prompts)) for sample in range(group)),
    )
