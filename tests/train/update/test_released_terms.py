"""The terms that the release's loss is made of, at its first AR step: means and log-probabilities of every token."""

import pytest
import torch
from torch import Tensor

from margrpo.components.replay import Released
from margrpo.maths import gaussian
from margrpo.train.rollout.condition import Condition, conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from tests.golden.reading import allowed, largest_difference
from tests.train.update import released
from tests.train.update.released import NAME, golden

STEP = 3


def means(which: str, mask: str, state: Tensor) -> Tensor:
    """μ of each recorded transition, under the mask of the release or the right one; without guidance."""
    model, rollout = released.model(which), released.rollout(STEP)
    (step,) = rollout.steps
    unknown = golden()[f"step{STEP}.mask_{'next' if mask == 'maskref' else 'before'}"].bool()
    z = conditions_at(model, step, rollout.prompts, scale=1.0, mask=unknown).z.flatten(0, 1)
    head, sampler, times = model.head, released.pipeline(model).sampler, golden()["in.selected_diff_steps_t"].tolist()
    found = [
        step_gaussian(head, sampler, Condition.unguided(z), x.flatten(0, 1)[None], t).mean
        for x, t in zip(state, times, strict=True)
    ]
    return torch.cat(found).view_as(state)


@pytest.mark.golden(NAME)
@pytest.mark.parametrize("mask", ["maskref", "maskfix"])
def test_means_and_log_probabilities_of_every_token_are_the_releases(mask: str):
    main, again = golden()[f"step{STEP}.xt"], golden()["seed0.xt"]
    found = {"mean_main": means("policy", mask, main), "mean_ref": means("ref", mask, main)}
    for key, mean, drawn in (
        ("logp_main", found["mean_main"], golden()[f"step{STEP}.xt_prev"]),
        ("logp_seed0", means("policy", mask, again), golden()["seed0.xt_prev"]),
    ):
        one_by_one = (value[..., None] for value in (drawn, mean, golden()[f"step{STEP}.std"]))
        found[key] = gaussian.log_density(*one_by_one, floor=Released().min_variance)
    for key, ours in found.items():
        name = f"{mask}.step{STEP}.{key}"
        assert largest_difference(ours, golden()[name]) <= allowed(NAME, name), key
