"""The keys of a training recipe, and of a pre-training recipe, which has a [dataset]."""

import re
from collections.abc import Mapping
from typing import Any

import attrs

from margrpo import contracts
from margrpo.declare import REQUIRED, Check, at_least, between, component, not_negative, one_of, positive, setting
from margrpo.plugin.builtin import margrpo_kinds

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_device = Check(lambda name: bool(_DEVICE.fullmatch(name)), '"auto", "cpu", "mps", "cuda" or "cuda:N"')
_precision = one_of("auto", "bfloat16", "float32")
_PRECISION = 'precision of the backbone: "bfloat16", "float32", or "auto", which is bfloat16 on a GPU that has it'
_TF32 = "let float32 products on a GPU use TensorFloat-32: three to four times faster"
_some = Check(lambda items: len(items) > 0, "an array of at least one table", {"minItems": 1})
_meaning = {kind.name: kind.meaning for kind in margrpo_kinds()}.__getitem__


COMPARED: tuple[Mapping[str, Any], ...] = (
    {"use": "single"},
    {"use": "multi_trajectory", "trajectories": 1},
    {"use": "multi_trajectory", "trajectories": 4},
    {"use": "rao_blackwell", "trajectories": 1},
    {"use": "rao_blackwell", "trajectories": 4},
)
"""The tables of `run.signal_estimators` by default."""


def _compared() -> tuple[Any, ...]:
    from margrpo.recipe.structure import component_of  # it imports this module

    return tuple(component_of(table, "estimator") for table in COMPARED)


@component
class Run:
    """The table `run` of a training recipe: length, checkpoints, validation and machine."""

    steps: int = setting(
        100, "training steps, each with one rollout and `objective.updates` optimizer steps", check=at_least(1)
    )
    seed: int = setting(0, "seed of all random numbers", check=not_negative)
    save_every: int = setting(25, "steps between checkpoints", check=at_least(1))
    keep_last: int = setting(2, "number of newest checkpoints to keep", check=at_least(1))
    keep_every: int | None = setting(
        None, "steps between checkpoints that are never removed; default: none", check=at_least(1)
    )
    max_skipped_steps: int = setting(
        3, "skipped steps in a row (numbers not finite) after which the run ends", check=positive
    )
    eval_every: int = setting(
        10, "steps between validations on held-out prompts: a score and a grid", check=at_least(1)
    )
    eval_prompts: int = setting(64, "held-out prompts per validation", check=at_least(1))
    maps: int = setting(4, "number of validation images whose token maps are drawn", check=not_negative)
    signal_every: int | None = setting(
        None,
        "steps between measurements of the update's signal-to-noise; default: never",
        check=at_least(1),
    )
    signal_estimators: tuple[contracts.Estimator, ...] = setting(
        attrs.Factory(_compared),
        "estimators to compare with the recipe's own by signal-to-noise; default: `single`, and "
        "`multi_trajectory` and `rao_blackwell` with K = 1 and 4",
    )
    held_out: int = setting(400, "number of held-out prompts of the score before and after training", check=at_least(1))
    device: str = setting("auto", '"auto", "cpu", "mps", "cuda" or "cuda:N"', check=_device)
    precision: str = setting("auto", _PRECISION, check=_precision)
    tf32: bool = setting(True, _TF32)
    compile: bool = setting(
        False, "whether to compile the head, with CUDA graphs for few tokens: slow at first, then faster"
    )
    rollout_batch: int | None = setting(
        None,
        "prompts per rollout microbatch; default: all of the process on a GPU, a quarter of the step on a CPU",
        check=at_least(1),
    )
    budget: float | None = setting(
        None,
        "memory in GiB for the graphs of an update; default: a quarter of a GPU's memory, 2 on a CPU",
        check=positive,
    )


@component
class PretrainRun:
    """The table `run` of a pre-training recipe: length, checkpoints, validation, masking and machine."""

    steps: int = setting(2000, "optimizer steps", check=at_least(1))
    batch: int = setting(64, "images per step", check=at_least(1))
    seed: int = setting(0, "seed of all random numbers", check=not_negative)
    save_every: int = setting(500, "steps between checkpoints", check=at_least(1))
    eval_every: int = setting(
        250, "steps between validations on held-out prompts: a score and a grid", check=at_least(1)
    )
    eval_prompts: int = setting(64, "held-out prompts per validation", check=at_least(1))
    held_out: int = setting(400, "number of held-out prompts of the score at the end", check=at_least(1))
    average: float = setting(0.999, "decay per step of the moving average of the weights", check=between(0, 1))
    unconditional: float = setting(0.1, "share of images whose prompt is dropped", check=between(0, 1))
    masked_mean: float = setting(1.0, "mean of the masked share, before truncation", check=between(0, 1))
    masked_std: float = setting(0.25, "std of the masked share, before truncation", check=positive)
    masked_least: float = setting(0.7, "least masked share, where the distribution is truncated", check=between(0, 1))
    precision: str = setting("float32", _PRECISION, check=_precision)
    tf32: bool = setting(False, _TF32)
    device: str = setting("auto", '"auto", "cpu", "mps", "cuda" or "cuda:N"', check=_device)


@component
class Recipe:
    """A training run: one table per kind of component."""

    title: str = setting("", "title of the recipe, in a few words")
    notes: str = setting("", "notes for readers of the recipe")
    run: Run = setting(attrs.Factory(Run), "length of the run, checkpoints, validation and machine")
    policy: contracts.Policy = setting(REQUIRED, _meaning("policy"))
    codec: contracts.Codec = setting(REQUIRED, _meaning("codec"))
    attention: contracts.Attention = setting(REQUIRED, _meaning("attention"))
    prompts: contracts.PromptSource = setting(REQUIRED, _meaning("prompts"))
    unmasking: contracts.Unmasking = setting(REQUIRED, _meaning("unmasking"))
    sampler: contracts.Sampler = setting(REQUIRED, _meaning("sampler"))
    guidance: contracts.Guidance = setting(REQUIRED, _meaning("guidance"))
    timesteps: contracts.Timesteps = setting(REQUIRED, _meaning("timesteps"))
    reward: tuple[contracts.Reward, ...] = setting(REQUIRED, _meaning("reward"), check=_some)
    measure: contracts.Reward | None = setting(
        None, "reward that scores held-out images; default: the recipe's rewards"
    )
    canary: tuple[contracts.Canary, ...] = setting(REQUIRED, _meaning("canary"))
    advantage: contracts.Advantage = setting(REQUIRED, _meaning("advantage"))
    selector: contracts.Selector = setting(REQUIRED, _meaning("selector"))
    estimator: contracts.Estimator = setting(REQUIRED, _meaning("estimator"))
    weighting: contracts.Weighting = setting(REQUIRED, _meaning("weighting"))
    objective: contracts.Objective = setting(REQUIRED, _meaning("objective"))
    replay: contracts.Replay = setting(REQUIRED, _meaning("replay"))
    penalty: contracts.Penalty = setting(REQUIRED, _meaning("penalty"))
    trainable: contracts.Trainable = setting(REQUIRED, _meaning("trainable"))
    optimizer: contracts.Optimizer = setting(REQUIRED, _meaning("optimizer"))
    parallel: contracts.Parallel = setting(REQUIRED, _meaning("parallel"))
    tracker: tuple[contracts.Tracker, ...] = setting(REQUIRED, _meaning("tracker"))


@component
class Pretraining:
    """A pre-training run: the model, its images, and the parts that draw and score samples."""

    title: str = setting("", "title of the recipe, in a few words")
    notes: str = setting("", "notes for readers of the recipe")
    run: PretrainRun = setting(
        attrs.Factory(PretrainRun), "length of the run, checkpoints, validation, masking and machine"
    )
    policy: contracts.Policy = setting(REQUIRED, _meaning("policy"))
    codec: contracts.Codec = setting(REQUIRED, _meaning("codec"))
    attention: contracts.Attention = setting(REQUIRED, _meaning("attention"))
    dataset: contracts.Dataset = setting(REQUIRED, _meaning("dataset"))
    optimizer: contracts.Optimizer = setting(REQUIRED, _meaning("optimizer"))
    prompts: contracts.PromptSource = setting(REQUIRED, _meaning("prompts"))
    unmasking: contracts.Unmasking = setting(REQUIRED, _meaning("unmasking"))
    sampler: contracts.Sampler = setting(REQUIRED, _meaning("sampler"))
    guidance: contracts.Guidance = setting(REQUIRED, _meaning("guidance"))
    measure: contracts.Reward = setting(REQUIRED, "reward that scores held-out images")
    tracker: tuple[contracts.Tracker, ...] = setting(REQUIRED, _meaning("tracker"))
