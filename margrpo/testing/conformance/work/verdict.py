"""Work of rewards, canaries and advantages."""

from typing import Any

import torch
from einops import rearrange

from margrpo.contracts import ShipsCases
from margrpo.records import CanaryInputs, grouped
from margrpo.testing.conformance.subject import Subject
from margrpo.testing.conformance.work.pieces import numbers, require


def of_reward(subject: Subject) -> Any:
    """The scores of some images."""
    images, prompts = shown(subject)
    return scorer_of(subject).score(images.to(subject.device), prompts.to(subject.device))


def scorer_of(subject: Subject) -> Any:
    """The built reward, unless its files or packages are missing here."""
    require(subject)
    return subject.component.build(subject.device)


def of_canary(subject: Subject) -> Any:
    """The drift of changed images."""
    return torch.tensor(monitor_of(subject).drift(canary_inputs(subject, changed=True)))


def monitor_of(subject: Subject) -> Any:
    """The built canary, unless its files or packages are missing here."""
    require(subject)
    return subject.component.build(subject.device)


def canary_inputs(subject: Subject, *, changed: bool) -> CanaryInputs:
    """Canary inputs of random images, equal to those before training or darker; images of the step all differ."""
    images = subject.images.to(subject.device)
    groups = rearrange(images, "(g k) c h w -> g k c h w", k=2)
    return CanaryInputs(subject.prompts.to(subject.device), images * (0.5 if changed else 1.0), images, groups)


def shown(subject: Subject) -> tuple[torch.Tensor, Any]:
    """Images and prompts for a reward: its own cases if they have one size, else random pixels."""
    cases = list(subject.component.cases()) if isinstance(subject.component, ShipsCases) else []
    cases = [case for case in cases if case.image.shape == cases[0].image.shape]
    if len(cases) < 2:
        return subject.images, subject.prompts
    return torch.stack([case.image for case in cases]), grouped([case.prompt for case in cases], 1)


def of_advantage(subject: Subject, dtype: torch.dtype = torch.float32) -> Any:
    """The advantages of three groups by two rewards."""
    rewards = numbers(subject, 12, 2, dtype=dtype)
    weights = torch.tensor([1.0, 0.5], dtype=dtype, device=subject.device)
    return subject.component.advantages(rewards, weights, groups(subject))


def groups(subject: Subject) -> torch.Tensor:
    """The groups of twelve images."""
    return torch.arange(3, device=subject.device).repeat_interleave(4)
