"""Work of the parts of the update."""

from typing import Any

import torch

from margrpo.testing import small
from margrpo.testing.conformance.subject import Subject
from margrpo.testing.conformance.work.pieces import numbers, rollout


def of_selector(subject: Subject) -> Any:
    """The selected tokens of each AR step."""
    made = rollout(subject)
    return [subject.component.select(made, step) for step in made.steps]


def of_estimator(subject: Subject) -> Any:
    """The transitions of every AR step."""
    made = rollout(subject)
    found = [subject.component.transitions(made, step, step.unknown) for step in made.steps]
    return [(each.where, *each.part()) for transitions in found for each in transitions]


def of_weighting(subject: Subject, dtype: torch.dtype = torch.float32) -> Any:
    """The weights of transitions of falling std."""
    std = torch.tensor([1.0, 0.5, 0.2, 0.05], dtype=dtype, device=subject.device)
    return subject.component.weights(std)


def of_objective(subject: Subject, dtype: torch.dtype = torch.float32) -> Any:
    """The surrogate off policy, and the divisors."""
    logp, old = (numbers(subject, 2, 6, seed=seed, dtype=dtype) for seed in range(2))
    return subject.component.surrogate(logp, old, numbers(subject, 6, dtype=dtype)), subject.component.divisors([3, 5])


def of_replay(subject: Subject) -> Any:
    """The scale, mask and mode of a replay."""
    made = rollout(subject)
    return [(subject.component.scale(2.0), subject.component.mask(made, step)) for step in made.steps]


def of_penalty(subject: Subject) -> Any:
    """The divergence of some transitions."""
    regularizer = subject.component.build(small.model(small.policy()))
    mean, reference = (numbers(subject, 2, 6, 3, seed=seed) for seed in range(2))
    return regularizer.divergence(mean, reference, torch.full_like(mean, 0.5))


def of_reference(subject: Subject) -> Any:
    """The answer of a reference at each of a few steps."""
    return [subject.component.is_due(step) for step in range(1, 120)]


def of_trainable(subject: Subject) -> Any:
    """The names of the trained parameters."""
    return [name for name, _ in subject.component.parameters(small.model(small.policy()))]


def of_optimizer(subject: Subject) -> Any:
    """The point after three steps on a parabola, and the rates."""
    value = torch.nn.Parameter(torch.tensor([3.0, -2.0], device=subject.device))
    optimizer = subject.component.build([value])
    for _ in range(3):
        optimizer.zero_grad()
        value.square().sum().backward()
        optimizer.step()
    return value.detach(), [subject.component.rate(step, 10) for step in range(10)]
