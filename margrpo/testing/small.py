"""Small real components: a generator of a few thousand weights, its pipeline, a rollout, and a whole recipe.

Every part is the real code of training, only tiny. The weights are drawn so that no gate and no output is zero. At the
start of training they are zero, which makes every gradient trivial.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from margrpo.components.advantage import Group
from margrpo.components.attention import Sdpa
from margrpo.components.codec.patch import Patch
from margrpo.components.conditioner import Caption
from margrpo.components.estimator import Single
from margrpo.components.guidance import Constant
from margrpo.components.objective import OnPolicy
from margrpo.components.optimizer import AdamW
from margrpo.components.parallel import Single as SingleProcess
from margrpo.components.parameterization import Velocity
from margrpo.components.penalty import NoPenalty
from margrpo.components.policy.mar import Mar
from margrpo.components.prompts.shapes import Shapes as Captions
from margrpo.components.replay import Guided
from margrpo.components.reward.brightness import Brightness
from margrpo.components.sampler import Ddpm
from margrpo.components.selector import Committed
from margrpo.components.timesteps import Every
from margrpo.components.trainable import Backbone
from margrpo.components.unmasking import Cosine
from margrpo.components.weighting import Variance
from margrpo.plan.memory import PIECE
from margrpo.recipe.schema import Recipe, Run
from margrpo.records import Key, Prompt, Prompts, Rollout, grouped
from margrpo.train.assemble import assemble
from margrpo.train.rollout.roll_out import Pipeline, Recording, roll_out
from margrpo.train.step import train_step
from margrpo.train.update.budget import Budget, Footprint
from margrpo.train.update.method import Method
from margrpo.weights import modules

CHANNELS = 3
TEXTS = ("a red circle", "two blue squares", "a green cross", "four yellow triangles")
WORDS = (
    *("a", "and", "left", "right", "of", "above", "below", "two", "three", "four"),
    *("red", "green", "blue", "yellow", "purple"),
    *("circle", "square", "triangle", "cross", "circles", "squares", "triangles", "crosses"),
)


def policy(**settings: Any) -> Mar:
    """A MAR that reads captions of the world `shapes`, by default of 4 tokens."""
    tiny = {"tokens": 4, "channels": CHANNELS, "width": 8, "encoder_depth": 1, "decoder_depth": 1, "heads": 2}
    head = {"head_width": 8, "head_depth": 1, "weights": "random", "parameterization": Velocity()}
    return Mar(**{**tiny, **head, "conditioner": Caption(words=WORDS, prefix=10), **settings})


def alive(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every weight of `module` by `seed`, gates and outputs included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            drawn = torch.randn(value.shape, generator=generator)
            if value.ndim > 1:
                value.copy_(drawn / value.shape[-1] ** 0.5)
            else:
                value.add_(0.2 * drawn)
    return module


def model(made: Mar, seed: int = 0) -> Any:
    """Build a policy with random weights whose variances are near the middle of their range, as in a trained head."""
    built: Any = made.build(attention=Sdpa())
    alive(built, seed)
    with torch.no_grad():
        for value in built.head.net.final_layer.linear.parameters():
            value[made.channels :] *= 0.1
    return built


def pipeline(*, side: int = 2, steps: int = 3, seed: int = 0, made: Mar | None = None, **parts: Any) -> Pipeline:
    """A pipeline for images of `side`² tokens in `steps` AR steps; `parts` replace fields of `Pipeline`."""
    defaults = {
        "model": model(made or policy(tokens=side**2), seed),
        "codec": Patch(image=2 * side, patch=2, components=CHANNELS).build(),
        "sampler": Ddpm(steps=4),
        "unmasking": Cosine(steps=steps),
        "guidance": Constant(),
    }
    return Pipeline(**{**defaults, **parts})


def prompts(count: int = 2, group: int = 2) -> Prompts:
    """The first `count` of four captions, each for a group of images."""
    return grouped([Prompt(text) for text in TEXTS[:count]], group)


def recording(pipeline: Pipeline, *, trajectories: int = 0, virtual: bool = True) -> Recording:
    """A recording of every AR step and every transition that has a density."""
    steps = tuple(range(pipeline.unmasking.steps))
    transitions = tuple(t for t in reversed(range(pipeline.sampler.steps)) if pipeline.sampler.has_density(t))
    return Recording(steps, transitions, frozenset(steps if virtual else ()), trajectories)


def rollout(pipeline: Pipeline, *, trajectories: int = 3, virtual: bool = True, key: Key = ("small",)) -> Rollout:
    """A rollout of two groups of two images, with everything recorded."""
    return roll_out(pipeline, prompts(), key, recording(pipeline, trajectories=trajectories, virtual=virtual))


def method(pipeline: Pipeline, *, penalty: Any = None, **parts: Any) -> Method:
    """Plain GRPO on committed tokens; `parts` replace fields of `Method`."""
    defaults = {
        "selector": Committed(),
        "estimator": Single(),
        "weighting": Variance(),
        "objective": OnPolicy(),
        "replay": Guided(),
        "regularizer": (penalty or NoPenalty()).build(pipeline.model),
    }
    return Method(**{**defaults, **parts})


def budget(*, rows: int, units: float = 2) -> Budget:
    """A budget for chunks of `rows` evaluations of the head, and passes of `units` images at AR steps."""
    return Budget(PIECE, Footprint(image=(PIECE - 1) / units, chain=1 / rows))


def recipe(folder: Path, *, seed: int = 0, side: int = 2, **tables: Any) -> Recipe:
    """A whole recipe of these tables; weights, none of them zero, are in `folder` or written into it."""
    file, settings = folder / f"small-{side}-{seed}.safetensors", {"tokens": side**2}
    if not file.exists():
        modules.write(file, {"policy": model(policy(**settings), seed)})
    defaults = {
        "run": Run(steps=3, seed=seed, device="cpu", eval_prompts=2, held_out=2),
        "policy": policy(checkpoint=str(file), weights="ema", **settings),
        "codec": Patch(image=2 * side, patch=2, components=CHANNELS),
        "attention": Sdpa(),
        "prompts": Captions(prompts=2, group=2),
        "unmasking": Cosine(steps=3),
        "sampler": Ddpm(steps=4),
        "guidance": Constant(),
        "timesteps": Every(),
        "reward": (Brightness(),),
        "advantage": Group(),
        "selector": Committed(),
        "estimator": Single(),
        "weighting": Variance(),
        "objective": OnPolicy(),
        "replay": Guided(),
        "penalty": NoPenalty(),
        "trainable": Backbone(),
        "optimizer": AdamW(),
        "parallel": SingleProcess(),
        "canary": (),
        "tracker": (),
    }
    return Recipe(**{**defaults, **tables})


def trained(recipe: Recipe) -> tuple[Any, Mapping[str, float]]:
    """The recipe's model after one training step, and the figures of the step."""
    session = assemble(recipe)
    return session.model, train_step(session, 0).figures


def gradients(module: nn.Module) -> torch.Tensor:
    """The gradient with respect to all parameters as one vector; 0 for parameters without a gradient."""
    values: Sequence[torch.Tensor] = list(module.parameters())
    return torch.cat([(torch.zeros_like(v) if v.grad is None else v.grad).flatten() for v in values])
