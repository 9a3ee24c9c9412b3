"""Components whose figures depend on what they remember, registered as those of a plugin are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from margrpo import Entry, component, hookimpl, setting
from margrpo.contracts import Reward
from margrpo.records import CanaryInputs, Prompts, Traits
from margrpo.train.run import durable


class Counter:
    """A count that outlives the process."""

    def __init__(self) -> None:
        self.count = 0

    def run_state(self) -> Mapping[str, Any]:
        return {"count": self.count}

    def load_run_state(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]


class CountingScorer(Counter):
    """Brightness, which grows at every call."""

    def score(self, images: torch.Tensor, prompts: Prompts) -> torch.Tensor:
        self.count += 1
        return images.mean((1, 2, 3)) * (1 + 0.01 * self.count)


@component
class Counting:
    """A reward whose scorer remembers how often it was asked."""

    weight: float = setting(1.0, "factor")
    traits = Traits(deterministic=False)

    def build(self, device: str) -> CountingScorer:
        return CountingScorer()


class Network(nn.Module):
    """A scorer that is a network, and holds another scorer."""

    def __init__(self, inner: Any):
        super().__init__()
        self.linear, self.inner = nn.Linear(3, 3), inner

    def score(self, images: torch.Tensor, prompts: Prompts) -> torch.Tensor:
        return self.inner.score(images, prompts)


@component
class Around:
    """A reward around another, whose scorer is a network."""

    of: Reward = setting(meaning="the other")
    weight: float = setting(1.0, "factor")

    @property
    def traits(self) -> Traits:
        return self.of.traits

    def build(self, device: str) -> Network:
        return Network(self.of.build(device))


class Clock(Counter):
    """A monitor that counts its validations."""

    def drift(self, inputs: CanaryInputs) -> float:
        self.count += 1
        return 0.01 * self.count


@component
class Aging:
    """A canary whose monitor counts its validations."""

    warn: float | None = setting(None, "warn")
    stop: float | None = setting(None, "stop")

    def build(self, device: str) -> Clock:
        return Clock()


class Sum(Counter):
    """An opened tracker that counts the figures of the whole run."""

    def __init__(self, folder: Path):
        super().__init__()
        self.file, self.counts = folder / "counts.json", dict[str, int]()

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        self.count += len([name for name in figures if not name.startswith(("seconds", "bytes"))])
        counts = json.loads(self.file.read_text()) if step else {}
        durable.write_json(self.file, {**counts, str(step): self.count})

    def say(self, sentence: str) -> None: ...

    def close(self) -> None: ...


@component
class Sums:
    """A tracker that remembers how many figures it was given."""

    def open(self, folder: Path, title: str, steps: int, start: int) -> Sum:
        return Sum(folder)


@hookimpl
def margrpo_components() -> list[Entry]:
    kinds = {"reward": (Counting, Around), "canary": (Aging,), "tracker": (Sums,)}
    every = [(kind, cls) for kind, some in kinds.items() for cls in some]
    return [Entry(f"{kind}.{cls.__name__.lower()}", f"{__name__}:{cls.__name__}", "remembers") for kind, cls in every]
