"""Small real things around a component, on which the conformance kit lets it work."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch

from margrpo.components.attention import Sdpa
from margrpo.errors import MargrpoError
from margrpo.recipe.requirements import require_all
from margrpo.records import Rollout
from margrpo.testing import small
from margrpo.testing.conformance.subject import Subject, foremost, not_applicable
from margrpo.train.rollout.roll_out import Pipeline, roll_out

TRANSITIONS = 5


def model_of(subject: Subject) -> Any:
    """The policy's model on the subject's device."""
    return subject.component.build(attention=Sdpa()).to(subject.device)


class Bare(torch.nn.Module):
    """A codec that shows each number of a token as a pixel, for policies of any geometry."""

    def fit(self, images: torch.Tensor) -> None:
        """Do nothing: there is nothing to fit."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """The numbers of the tokens, from the pixels."""
        return images[:, 0]

    def decode(self, tokens: torch.Tensor) -> torch.Tensor:
        """An image with a pixel for each number of a token."""
        return tokens[:, None].expand(-1, 3, -1, -1).clamp(0, 1)


def drawn_by_policy(subject: Subject) -> Rollout:
    """A rollout of a policy, with everything recorded."""
    pipeline = pipeline_of_policy(subject)
    return roll_out(pipeline, subject.prompts.to(subject.device), ("work",), small.recording(pipeline))


def pipeline_of_policy(subject: Subject) -> Pipeline:
    """A pipeline of the policy and small built-in parts."""
    path = subject.component.parameterization.path.name
    parts = {"model": model_of(subject), "codec": Bare(), "sampler": sampler_for(path, subject)}
    return small.pipeline(**parts, device=subject.device)


def pipeline_of_sampler(subject: Subject) -> Pipeline:
    """A pipeline of the sampler and the small model, whose parameterization fits the sampler's path."""
    made = small.policy(parameterization=parameterization_for(subject.component.path.name, subject))
    return small.pipeline(made=made, sampler=subject.component)


def sampler_for(path: str, subject: Subject) -> Any:
    """A registered sampler of a few steps that reverses the forward process `path`."""
    for cls in classes(subject, "sampler"):
        try:
            sampler = cls(steps=4) if "steps" in cls.__annotations__ else cls()
        except (TypeError, MargrpoError):  # one that cannot be made without settings
            continue
        if sampler.path.name == path and any(map(sampler.has_density, range(sampler.steps))):
            return sampler
    return not_applicable(f"no sampler is installed for the forward process {path!r}")


def parameterization_for(path: str, subject: Subject) -> Any:
    """A registered parameterization of the forward process `path`."""
    for cls in classes(subject, "parameterization"):
        try:
            made = cls()
        except (TypeError, MargrpoError):
            continue
        if made.path.name == path:
            return made
    return not_applicable(f"no parameterization is installed for the forward process {path!r}")


def classes(subject: Subject, kind: str) -> Iterator[type]:
    """The classes of a kind that can be imported; built-in classes come first."""
    for entry in foremost(subject.registry, kind):
        with suppress(MargrpoError):
            yield subject.registry.load(entry)


def numbers(subject: Subject, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Standard normal numbers on the subject's device."""
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.to(dtype).to(subject.device)


def rollout(subject: Subject) -> Rollout:
    """A small rollout with four trajectories and every virtual draw, of three AR steps of nine tokens."""
    return small.rollout(small.pipeline(side=3), trajectories=4)


def require(subject: Subject) -> None:
    """Skip the check if this machine lacks what the component needs."""
    try:
        require_all(subject.component)
    except MargrpoError as error:
        not_applicable(str(error))
