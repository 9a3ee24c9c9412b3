"""A recipe with the weights of a file in place of its own, as `margrpo sample` draws with them."""

from typing import Any, TypeVar

import attrs

from margrpo import weight_source
from margrpo.cli.given import AnyRecipe
from margrpo.contracts import Policy

T = TypeVar("T")


def with_weights_of(weights: str | None, recipe: AnyRecipe) -> AnyRecipe:
    """The recipe with a file's policy, and its codec where it holds one, as those of a run do."""
    if weights is None:
        return recipe
    policy = recipe.policy
    if policy.checkpoint == weights:
        policy = evolved(policy, weights="ema" if policy.weights == "random" else policy.weights, sha256="")
    codec = (
        evolved(recipe.codec, checkpoint=weights, weights="model", sha256="") if has_codec(weights) else recipe.codec
    )
    return evolved(recipe, policy=policy, codec=codec)


def weights_of(policy: Policy) -> str:
    """What the policy's weights are, in words."""
    return "random" if policy.weights == "random" else policy.checkpoint


def evolved(component: T, **changes: Any) -> T:
    """A component with some settings changed, which mypy does not know to be an attrs class."""
    made: T = attrs.evolve(component, **changes)  # type: ignore[misc]
    return made


def has_codec(weights: str) -> bool:
    """Whether a file is here, is safetensors and holds a tensor named codec.*; imports no torch."""
    from safetensors import SafetensorError, safe_open

    path = weight_source.located(weights)
    if path is None:
        return False
    try:
        with safe_open(path, framework="numpy") as file:
            return any(name.startswith("codec.") for name in file.keys())  # noqa: SIM118  # it is no mapping
    except SafetensorError:
        return False
