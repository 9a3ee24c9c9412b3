"""Work of the parts of the model."""

from typing import Any

import torch

from margrpo.testing import small
from margrpo.testing.conformance.subject import Subject
from margrpo.testing.conformance.work.pieces import drawn_by_policy, numbers, require


def of_policy(subject: Subject) -> Any:
    """The images that a policy draws."""
    drawn = drawn_by_policy(subject)
    return drawn.tokens, drawn.steps[0].chain.mean


def of_conditioner(subject: Subject) -> Any:
    """The prefix of some prompts."""
    with torch.random.fork_rng(devices=[]):  # its first weights are the policy's affair
        built = subject.component.build(width=8)
    return small.alive(built)(subject.prompts)


def of_parameterization(subject: Subject, dtype: torch.dtype = torch.float32) -> Any:
    """The noise and the clean token of an output at a middle level of noise."""
    output, x = (numbers(subject, 6, 3, seed=seed, dtype=dtype) for seed in (0, 1))
    level = torch.full((6, 1), 0.25, dtype=dtype, device=subject.device)
    component = subject.component
    return component.epsilon(output, x, 0.25), component.x0(output, x, 0.25), component.target(output, x, level)


def of_codec(subject: Subject) -> Any:
    """Tokens of images and images of tokens."""
    built, (n, d) = subject.component.build().to(subject.device), subject.component.geometry()
    images = built.decode(numbers(subject, 2, n, d))
    return images, built.encode(images)


def of_attention(subject: Subject, dtype: torch.dtype = torch.float32) -> Any:
    """Attention within two sequences."""
    require(subject)
    q, k, v = (numbers(subject, 7, 2, 8, seed=seed, dtype=dtype) for seed in range(3))
    return subject.component.attention(q, k, v, (3, 4))


def of_dataset(subject: Subject) -> Any:
    """Two batches of images."""
    return [subject.component.images(index, 3, 0)[0] for index in range(2)]
