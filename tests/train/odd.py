"""Components that do what a run must bear, registered as those of a plugin are."""

from pathlib import Path
from typing import Any

import torch

from margrpo import Entry, hookimpl
from margrpo.components.advantage import Group
from margrpo.declare import component
from margrpo.records import Prompts, Traits


@component
class Telling:
    """A tracker that keeps what it is told."""

    said: tuple[str, ...] = ()

    def open(self, folder: Path, title: str, steps: int, start: int) -> "Telling":
        self.__dict__["said"] = ()
        return self

    def write(self, step: int, figures: Any) -> None: ...

    def say(self, sentence: str) -> None:
        self.__dict__["said"] = (*self.said, sentence)

    def close(self) -> None: ...


@component
class Wild:
    """Advantages that are multiplied by `value` at some calls."""

    at: tuple[int, ...] = ()
    value: float = float("inf")
    smallest_group: int = 2

    def advantages(self, rewards: torch.Tensor, weights: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        calls = self.__dict__.setdefault("calls", [])
        calls.append(len(calls))
        found = Group().advantages(rewards, weights, group)
        return found * self.value if calls[-1] in self.at else found


class Spoiling(torch.optim.SGD):
    """An optimizer whose steps lead nowhere."""

    def step(self, closure: Any = None) -> None:
        for value in self.param_groups[0]["params"]:
            value.data.fill_(torch.nan)


@component
class Spoiler:
    """The settings of such an optimizer."""

    max_norm: float = 1.0
    state_per_parameter = 0
    lr: float = 0.5

    def build(self, parameters: Any) -> torch.optim.Optimizer:
        return Spoiling(parameters, lr=self.lr)

    def rate(self, step: int, steps: int) -> float:
        return self.lr


@component
class Content:
    """A reward that finds every image equally good."""

    weight: float = 1.0
    traits = Traits()

    def build(self, device: str) -> "Content":
        return self

    def score(self, images: torch.Tensor, prompts: Prompts) -> torch.Tensor:
        return torch.ones(len(prompts))


@hookimpl
def margrpo_components() -> list[Entry]:
    kinds = {"tracker": Telling, "advantage": Wild, "optimizer": Spoiler, "reward": Content}
    return [Entry(f"{kind}.{cls.__name__.lower()}", f"{__name__}:{cls.__name__}", "odd") for kind, cls in kinds.items()]
