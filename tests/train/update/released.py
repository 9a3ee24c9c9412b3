"""The rollout and the model that the loss of the public MAR-GRPO release was recorded on, in our records."""

from functools import cache
from pathlib import Path

import attrs
import torch
from torch import Tensor

from margrpo.components.attention import Sdpa
from margrpo.components.codec.patch import Patch
from margrpo.components.conditioner import Label
from margrpo.components.guidance import Constant
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.components.sampler import Ddpm
from margrpo.components.unmasking import Cosine
from margrpo.nets import mar
from margrpo.recipe import load
from margrpo.records import ARStep, Chain, Rollout
from margrpo.train.rollout.roll_out import Pipeline
from tests.golden.reading import recorded
from tests.weights.published import labelled, our_name

NAME = "margrpo_loss"
RECIPE = Path(__file__).parents[3] / "recipes" / "mar_large_paper_release.toml"


@cache
def golden() -> dict[str, Tensor]:
    return recorded(NAME)


def model(which: str) -> mar.Mar:
    """The policy or the reference, with its recorded weights."""
    policy = Mar(
        weights="random",
        conditioner=Label(classes=10, prefix=8),
        parameterization=Epsilon(),
        tokens=16,
        channels=16,
        width=32,
        encoder_depth=2,
        decoder_depth=2,
        heads=4,
        head_width=64,
        head_depth=2,
    )
    built = policy.build(attention=Sdpa())
    built.load_state_dict({our_name(key): value for key, value in recorded(NAME, f"{which}.").items()})
    return built


@cache
def sampler() -> Ddpm:
    """That of the recipe, with the recorded number of steps."""
    return attrs.evolve(load(RECIPE).sampler, steps=12)


def pipeline(built: mar.Mar) -> Pipeline:
    """The sampler as the release has it; the codec is not used."""
    codec = Patch(image=16, patch=4, components=16).build()
    return Pipeline(built, codec, sampler(), Cosine(steps=8), Constant(weight=1.5))


def packed(dense: Tensor, drawn: Tensor) -> Tensor:
    """(… b n d) as (… m d)."""
    return dense[..., drawn, :]


def ar_step(index: int) -> ARStep:
    """One recorded AR step; the means of its main chain were not recorded and are not read."""
    data = golden()
    unknown, committed = data[f"step{index}.mask_before"].bool(), data[f"step{index}.mask_to_pred"].bool()
    state, after, std = (packed(data[f"step{index}.{key}"], unknown)[:, None] for key in ("xt", "xt_prev", "std"))
    sample = packed(data[f"step{index}.x0"], unknown)[None]
    chain = Chain(state, after, torch.full_like(state, torch.nan), std, sample, unknown)
    earlier = data[f"step{index - 1}.x0"] if index else None
    return ARStep(index, data[f"step{index}.tokens"], unknown, committed, 1.5, chain, earlier)


def trajectories() -> Chain:
    """The K recorded chains; their own std was not recorded, so that reading it spoils the result."""
    data, everything = golden(), torch.ones(4, 16, dtype=torch.bool)
    state, after = (
        torch.stack([packed(data[f"seed{k}.{key}"], everything) for k in range(5)], dim=1) for key in ("xt", "xt_prev")
    )
    sample = torch.stack([packed(data[f"seed{k}.x0"], everything) for k in range(5)])
    nothing = torch.full_like(state, torch.nan)
    return Chain(state, after, nothing, nothing, sample, everything)


def rank() -> Tensor:
    """A place in the order of unmasking for each token: later ones are lower, and the very last is 0."""
    data = golden()
    step_of = sum(index * data[f"step{index}.mask_to_pred"].long() for index in range(8))
    last = data["step7.mask_next"].long()
    return (-2 * step_of - last).argsort(dim=1, stable=True).argsort(dim=1)


def rollout(*steps: int) -> Rollout:
    """The recorded rollout with these AR steps kept."""
    data = golden()
    return Rollout(
        prompts=labelled(data["in.labels"]),
        steps=tuple(ar_step(index) for index in steps),
        diffusion_steps=tuple(data["in.selected_diff_steps_t"].tolist()),
        trajectories=trajectories(),
        tokens=data["in.final_diff_latents"],
        images=torch.zeros(4, 3, 1, 1),
        order=rank(),
        key=("released",),
    )
