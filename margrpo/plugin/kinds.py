"""The kinds of components as data: each kind's contract and what a recipe gets that leaves its table out."""

import re
from collections.abc import Sequence
from typing import Any

from margrpo import contracts
from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Kind


def _use(name: str) -> dict[str, str]:
    return {"use": name}


_ALL = (
    Kind("policy", contracts.Policy, "the generator that is tuned"),
    Kind("conditioner", contracts.Conditioner, "what the prompt becomes for the backbone"),
    Kind("parameterization", contracts.Parameterization, "what the head's raw output means"),
    Kind("codec", contracts.Codec, "between images and tokens"),
    Kind("attention", contracts.Attention, "how attention is computed", _use("sdpa")),
    Kind("prompts", contracts.PromptSource, "where prompts come from"),
    Kind("unmasking", contracts.Unmasking, "how many tokens are known after each AR step", _use("cosine")),
    Kind("sampler", contracts.Sampler, "the reverse diffusion of the head", _use("ddpm")),
    Kind("guidance", contracts.Guidance, "the scale of classifier-free guidance in the rollout", _use("constant")),
    Kind("timesteps", contracts.Timesteps, "which AR steps and transitions are trained on", _use("random")),
    Kind("reward", contracts.Reward, "a score of finished images", many=True),
    Kind("on_failure", contracts.OnFailure, "what is done when a reward fails"),
    Kind(
        "canary",
        contracts.Canary,
        "what tells that a reward is gamed",
        (_use("edges"), _use("colours"), _use("dark"), _use("distance"), _use("duplicates")),
        many=True,
    ),
    Kind("advantage", contracts.Advantage, "how rewards become advantages", _use("group")),
    Kind("selector", contracts.Selector, "which unknown tokens of an AR step are trained on", _use("committed")),
    Kind("estimator", contracts.Estimator, "which transitions stand for a token in the loss", _use("single")),
    Kind("weighting", contracts.Weighting, "how much each trained transition counts", _use("variance")),
    Kind("objective", contracts.Objective, "the surrogate whose gradient is the update", _use("on_policy")),
    Kind("replay", contracts.Replay, "the guidance under which transitions are scored", _use("guided")),
    Kind("penalty", contracts.Penalty, "what holds the policy near its reference", _use("none")),
    Kind("reference", contracts.Reference, "which earlier policy a penalty compares with"),
    Kind("trainable", contracts.Trainable, "which parameters the update changes", _use("backbone")),
    Kind("optimizer", contracts.Optimizer, "how a gradient becomes a step", _use("adamw")),
    Kind("parallel", contracts.Parallel, "over how many processes a run is spread", _use("single")),
    Kind("tracker", contracts.Tracker, "where figures go", (_use("console"), _use("jsonl")), many=True),
    Kind("suite", contracts.Suite, "what a policy is evaluated on"),
    Kind("dataset", contracts.Dataset, "images with prompts, for pre-training"),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
_BY_PROTOCOL: dict[Any, Kind] = {kind.protocol: kind for kind in _ALL}
BUILT_IN = frozenset(KINDS)
"""The names of our own kinds."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def refuse_unsound(brought: Sequence[Any]) -> None:
    """Raise `PluginError` where what a plugin brings is no kind, or has the name or the contract of another."""
    for place, kind in enumerate(brought):
        if not isinstance(kind, Kind):
            raise PluginError(f"margrpo_kinds returned {kind!r}, which is no margrpo.Kind")
        if not _NAME.fullmatch(kind.name):
            raise PluginError(f"the kind {kind.name!r} must be one word in lower case, as in 'selector'")
        before = brought[:place]
        known = next((each for each in (*before, *KINDS.values()) if each.name == kind.name), None)
        if known is not None and known.protocol is not kind.protocol:
            raise PluginError(
                f"its kind {kind.name!r} is already that of {known.protocol.__module__}.{known.protocol.__qualname__}; "
                "give it another name"
            )
        other = next((each for each in (*before, *KINDS.values()) if each.protocol is kind.protocol), None)
        if other is not None and other.name != kind.name:
            raise PluginError(
                f"the contract of its kind {kind.name!r} is already that of {other.name!r}; give it its own"
            )


def add_kinds(kinds: Sequence[Kind]) -> None:
    """Take in kinds that a plugin brings and that are sound."""
    for kind in kinds:
        KINDS[kind.name] = _BY_PROTOCOL[kind.protocol] = kind


def kind_of(annotation: Any) -> Kind | None:
    """The kind whose contract a setting is annotated with, or None for any other annotation."""
    try:
        return _BY_PROTOCOL.get(annotation)
    except TypeError:  # an annotation that cannot be hashed is no contract
        return None
