import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.replay import Conditional, Guided, Released
from margrpo.components.sampler import Ddpm
from margrpo.declare import SettingError
from margrpo.maths import gaussian
from margrpo.testing import small
from tests.golden.reading import largest_difference, recorded


@settings(derandomize=True, deadline=None)
@given(scale=st.floats(0, 10))
def test_guided_replay_keeps_the_scale_and_the_others_drop_it(scale: float):
    assert Guided().scale(scale) == scale
    assert Conditional().scale(scale) == Released().scale(scale) == 1.0


def test_only_the_release_replays_a_mask_that_was_not_the_input():
    rollout = small.rollout(small.pipeline(sampler=Ddpm(steps=3)))
    for step in rollout.steps:
        for replay in (Guided(), Conditional(), Released(mask_at="before")):
            assert torch.equal(replay.mask(rollout, step), step.unknown)
        after = Released().mask(rollout, step)
        left = step.unknown & ~step.committed
        if step.index < len(rollout.steps) - 1:
            assert torch.equal(after, left)
        else:
            assert torch.equal(after.sum(1), torch.ones(len(rollout.prompts)).long())
            assert (after & step.committed).sum() == len(rollout.prompts)


def test_a_mask_that_is_neither_is_refused():
    with pytest.raises(SettingError, match="mask_at = 'later' must be one of 'after', 'before'"):
        Released(mask_at="later")


def test_the_releases_floor_gives_its_log_probabilities_and_none_gives_the_density():
    case = recorded("logp_ddpm", "elementwise.")
    x, mean, std, theirs = (case[key].flatten()[:, None] for key in ("x", "mean", "std", "logp"))
    floored = gaussian.log_density(x, mean, std, floor=Released().min_variance)
    error = (floored - theirs[:, 0]).abs()
    assert float((error / theirs[:, 0].abs().clamp(min=1)).max()) <= 1e-5
    normal = std[:, 0] >= 1e-3
    exact = gaussian.log_density(x, mean, std)
    assert largest_difference(exact[normal], floored[normal]) == 0.0
    small_std = ~normal & (std[:, 0] > 0)
    assert bool((exact[small_std] < 2 * floored[small_std]).all())  # there the floor hides most of it
    assert not bool(torch.isfinite(exact[std[:, 0] == 0]).any())  # and here a density that there is not
