"""Work for each kind of component, whose results the general checks compare."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from einops import rearrange

from margrpo.components.attention import Sdpa
from margrpo.contracts import ShipsCases
from margrpo.errors import MargrpoError
from margrpo.recipe.requirements import require_all
from margrpo.records import CanaryInputs, Gaussian, Prediction, Rollout, grouped
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


Work = Callable[[Subject], Any]


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


def of_dataset(subject: Subject) -> Any:
    """Two batches of images."""
    return [subject.component.images(index, 3, 0)[0] for index in range(2)]


def require(subject: Subject) -> None:
    """Skip the check if this machine lacks what the component needs."""
    try:
        require_all(subject.component)
    except MargrpoError as error:
        not_applicable(str(error))


WORK: Mapping[str, Work] = {
    "policy": of_policy,
    "conditioner": of_conditioner,
    "parameterization": of_parameterization,
    "codec": of_codec,
    "attention": of_attention,
    "prompts": of_prompts,
    "unmasking": of_unmasking,
    "sampler": of_sampler,
    "guidance": of_guidance,
    "timesteps": of_timesteps,
    "reward": of_reward,
    "canary": of_canary,
    "advantage": of_advantage,
    "selector": of_selector,
    "estimator": of_estimator,
    "weighting": of_weighting,
    "objective": of_objective,
    "replay": of_replay,
    "penalty": of_penalty,
    "reference": of_reference,
    "trainable": of_trainable,
    "optimizer": of_optimizer,
    "dataset": of_dataset,
}
KEEPS_DTYPE = ("parameterization", "attention", "sampler", "advantage", "weighting", "objective")
"""Kinds whose results have the precision of their arguments; other kinds return float32."""


def done(subject: Subject, **how: Any) -> Any:
    """The result of the kind's work; skips the check if the kind has none or is a plugin's own."""
    work = WORK.get(subject.entry.kind)
    return work(subject, **how) if work else not_applicable(f"a {subject.entry.kind} does not have a result to compare")
