"""One piece of real work for each kind of component, whose results the general checks compare."""

from collections.abc import Callable, Mapping
from typing import Any

from margrpo.testing.conformance.subject import Subject, not_applicable
from margrpo.testing.conformance.work.model import (
    of_attention,
    of_codec,
    of_conditioner,
    of_dataset,
    of_parameterization,
    of_policy,
)
from margrpo.testing.conformance.work.rollout import of_guidance, of_prompts, of_sampler, of_timesteps, of_unmasking
from margrpo.testing.conformance.work.update import (
    of_estimator,
    of_objective,
    of_optimizer,
    of_penalty,
    of_reference,
    of_replay,
    of_selector,
    of_trainable,
    of_weighting,
)
from margrpo.testing.conformance.work.verdict import of_advantage, of_canary, of_reward

Work = Callable[[Subject], Any]


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
