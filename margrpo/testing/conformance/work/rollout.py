"""Work of the parts of the rollout."""

from typing import Any

import torch

from margrpo.records import Gaussian, Prediction
from margrpo.testing.conformance.subject import Subject
from margrpo.testing.conformance.work.pieces import TRANSITIONS, numbers


def of_prompts(subject: Subject) -> Any:
    """The prompts of two steps and the held-out ones."""
    subject.component.require()
    return tuple(map(vars, (*(subject.component.draw(step, 0) for step in range(2)), subject.component.held_out())))


def of_unmasking(subject: Subject) -> Any:
    """The counts for as many tokens as there are steps, and for many more."""
    steps = subject.component.steps
    return subject.component.counts(steps), subject.component.counts(4 * steps)


def of_sampler(subject: Subject, dtype: torch.dtype = torch.float32) -> Any:
    """Every transition of some tokens, and its nominal values."""
    sampler, found = subject.component, []
    for t in reversed(range(sampler.steps)):
        x, epsilon, variance, clean = (numbers(subject, 6, 3, seed=seed, dtype=dtype) for seed in range(4))
        gaussian: Gaussian = sampler.transition(x, Prediction(epsilon, variance.tanh(), clean), t)
        found.append((gaussian.mean, gaussian.std))
    return found


def of_guidance(subject: Subject) -> Any:
    """The scale at a few AR steps."""
    return [subject.component.scale(16, remaining) for remaining in (15, 8, 1, 0)]


def of_timesteps(subject: Subject) -> Any:
    """The choices for two generators of one seed."""
    return subject.component.draw(8, tuple(range(1, TRANSITIONS)), torch.Generator().manual_seed(0))
