"""The kinds of components as data: each kind's contract and what a recipe gets that leaves its table out."""

from collections.abc import Mapping
from typing import Any

import attrs

from margrpo import contracts


@attrs.frozen
class Kind:
    """One kind of component: its name is the recipe table, the folder and the first half of every entry id.

    `default` is the table, or for `many` the array of tables, that stands where a recipe has none; None where there is
    no default. It is of tables at the top of a recipe only: a nested one always names its component.
    """

    name: str
    protocol: type
    meaning: str
    default: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None = None
    many: bool = False

    @property
    def default_use(self) -> str | None:
        """The `use` of a table at the top that names none, or None where it must."""
        return self.default["use"] if isinstance(self.default, Mapping) else None


def _use(name: str) -> dict[str, str]:
    return {"use": name}


_ALL = (
    Kind("policy", contracts.Policy, "the generator that is tuned"),
    Kind("conditioner", contracts.Conditioner, "what the prompt becomes for the backbone"),
    Kind("parameterization", contracts.Parameterization, "what the head's raw output means"),
    Kind("codec", contracts.Codec, "between images and tokens"),
    Kind("kernel", contracts.Kernel, "how attention is computed", _use("sdpa")),
    Kind("prompts", contracts.PromptSource, "where prompts come from"),
    Kind("unmasking", contracts.Unmasking, "how many tokens are known after each AR step", _use("cosine")),
    Kind("sampler", contracts.Sampler, "the reverse diffusion of the head", _use("ddpm")),
    Kind("guidance", contracts.Guidance, "the scale of classifier-free guidance in the rollout", _use("constant")),
    Kind("timesteps", contracts.Timesteps, "which AR steps and transitions are trained on", _use("random")),
    Kind("reward", contracts.Reward, "a score of finished images", many=True),
    Kind("on_failure", contracts.OnFailure, "what is done when a reward fails"),
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
    Kind("dataset", contracts.Dataset, "images with prompts, for pre-training"),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
_BY_PROTOCOL: Mapping[Any, Kind] = {kind.protocol: kind for kind in _ALL}


def kind_of(annotation: Any) -> Kind | None:
    """The kind whose contract a setting is annotated with, or None for any other annotation."""
    try:
        return _BY_PROTOCOL.get(annotation)
    except TypeError:  # an annotation that cannot be hashed is no contract
        return None
