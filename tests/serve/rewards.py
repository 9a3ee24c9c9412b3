"""Rewards that fail or write down what is done with them, and what they are given."""

from typing import Any

import torch

from margrpo.contracts import OnFailure
from margrpo.declare import component
from margrpo.errors import DataError
from margrpo.records import Traits
from margrpo.testing import small

TOKEN = "a-token-of-twenty-letters"
IMAGES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
PROMPTS = small.prompts(3)


@component
class Counting:
    """Writes down what is done with it, and understands nothing."""

    weight: float = 1.0
    on_failure: OnFailure | None = None
    done: Any = None
    traits = Traits()

    def build(self, device: str) -> Any:
        self.done.append(device)
        return self

    def score(self, images: torch.Tensor, prompts: Any) -> torch.Tensor:
        self.done.append("scored")
        raise DataError("the metadata is not to be understood")


@component
class Failing:
    """Cannot read the metadata, or breaks."""

    fails: str
    weight: float = 1.0
    on_failure: OnFailure | None = None
    traits = Traits(reads=("metadata",))

    def build(self, device: str) -> Any:
        return self

    def score(self, images: torch.Tensor, prompts: Any) -> torch.Tensor:
        if self.fails == "data":
            raise DataError("the metadata is not to be understood")
        raise ValueError(self.fails)
