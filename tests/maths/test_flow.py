import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths import flow, gaussian
from margrpo.records import Gaussian, Prediction
from margrpo.testing.strategies import seeds
from tests.golden.reading import allowed, largest_difference, recorded

NAME = "logp_flow_sde"
SHIFTS = (1.0, 3.0)


def prediction(x: torch.Tensor, velocity: torch.Tensor, level: float) -> Prediction:
    """What a head that answers this velocity says."""
    return Prediction(x + (1 - level) * velocity, torch.zeros_like(x), x - level * velocity)


def published_step(shift: float, noise: float) -> Gaussian:
    """The Gaussian of every recorded row."""
    case, level, found = recorded(NAME, f"shift{shift:g}."), flow.levels(25, shift), []
    for row, index in enumerate(case["index"].tolist()):
        x, velocity, t = case["x"][row].flatten(1), case["v"][row].flatten(1), 24 - index
        said = prediction(x, velocity, float(level[t + 1]))
        found.append(flow.sde_transition(x, said, level, t, noise=noise))
    means, stds = (torch.stack([getattr(one, name) for one in found]) for name in ("mean", "std"))
    return Gaussian(means.view_as(case["x"]), stds.view_as(case["x"]))


@pytest.mark.golden(NAME)
@pytest.mark.parametrize("shift", SHIFTS)
def test_the_levels_are_those_of_the_published_scheduler(shift: float):
    case, level = recorded(NAME, f"shift{shift:g}."), torch.tensor(flow.levels(25, shift)).flip(0)
    assert largest_difference(level, case["sigmas"]) <= allowed(NAME, f"shift{shift:g}.sigmas")
    assert largest_difference(1000 * level[:-1], case["timesteps"]) <= allowed(NAME, f"shift{shift:g}.timesteps")


@pytest.mark.golden(NAME)
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_stochastic_step_and_its_log_probability_are_the_published_ones(shift: float):
    case, step = recorded(NAME, f"shift{shift:g}."), published_step(shift, 0.7)
    found = {"mean": step.mean, "std": step.std[:, :1, :1, :1], "prev_sample": step.mean + step.std * case["noise"]}
    for key, point in {"log_prob": "prev_sample", "log_prob_given": "prev_given", "det_log_prob": "det_prev"}.items():
        one_by_one = (value[..., None] for value in (case[point], step.mean, step.std))
        found[key] = gaussian.log_density(*one_by_one)
    for key, ours in found.items():
        assert largest_difference(ours, case[key]) <= allowed(NAME, f"shift{shift:g}.{key}"), key


@pytest.mark.golden(NAME)
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_step_without_noise_is_the_published_deterministic_one(shift: float):
    case, step = recorded(NAME, f"shift{shift:g}."), published_step(shift, 0.0)
    assert largest_difference(step.mean, case["det_prev"]) <= allowed(NAME, f"shift{shift:g}.det_prev")
    assert torch.equal(step.std, torch.zeros_like(step.std))


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(2, 200), shift=st.floats(0.2, 12))
def test_levels_climb_from_the_token_to_the_noise(steps: int, shift: float):
    level = flow.levels(steps, shift)
    assert (level[0], level[-1], len(level)) == (0.0, 1.0, steps + 1)
    assert bool((np.diff(level) > 0).all())


def test_a_shift_by_hand():
    assert flow.shifted(0.5, 3.0) == pytest.approx(0.75)  # 3·½ / (1 + 2·½)
    assert flow.levels(2, 3.0).tolist() == pytest.approx([0, 9 / 1008, 1])  # 0.001 twice: 3/1002, then 9/1008


@settings(derandomize=True, deadline=None)
@given(level=st.floats(0, 1))
def test_the_level_is_known_by_the_signals_share(level: float):
    assert flow.level_of(flow.signal_share(level)) == pytest.approx(level, abs=1e-9)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, level=st.floats(0, 1))
def test_a_noised_token_lies_between_token_and_noise(seed: int, level: float):
    clean, noise = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed)).double()
    share = torch.full((4, 1), flow.signal_share(level), dtype=torch.float64)
    assert torch.allclose(flow.noised(clean, noise, share), (1 - level) * clean + level * noise, atol=1e-7)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, steps=st.integers(2, 60), shift=st.sampled_from(SHIFTS))
def test_the_true_velocity_without_noise_leads_back_to_the_token(seed: int, steps: int, shift: float):
    clean, x = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed)).double()
    level, velocity = flow.levels(steps, shift), x - clean
    for t in reversed(range(steps)):
        x = flow.sde_transition(x, prediction(x, velocity, float(level[t + 1])), level, t, noise=0.0).mean
    assert torch.allclose(x, clean, atol=1e-9)


def variances(std: float, steps: int, noise: float) -> list[tuple[float, float]]:
    """The chain's variance after each step, and the flow's, for tokens from N(0, std²) and the velocity E[ε − x_0 | x].

    Each step is affine in x, so that the variance goes as m² V + s² with m the mean that it gives to x = 1.
    """
    level, found, variance = flow.levels(steps, 1.0), [], 1.0
    one = torch.ones(1, 1, dtype=torch.float64)
    for t in reversed(range(steps)):
        before, after = float(level[t + 1]), float(level[t])
        velocity = (before - (1 - before) * std**2) / ((1 - before) ** 2 * std**2 + before**2)
        step = flow.sde_transition(one, prediction(one, velocity * one, before), level, t, noise=noise)
        variance = float(step.mean) ** 2 * variance + float(step.std) ** 2
        found.append((variance, (1 - after) ** 2 * std**2 + after**2))
    return found


@pytest.mark.parametrize("std", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("noise", [0.0, 0.7, 1.0])
def test_the_noise_leaves_the_marginals_as_they_are_where_steps_are_small(std: float, noise: float):
    errors = {}
    for steps in (25, 100):
        late = variances(std, steps, noise)[steps // 2 :]
        errors[steps] = max(abs(math.sqrt(ours / wanted) - 1) for ours, wanted in late)
    assert errors[100] < 0.02
    assert errors[100] < 0.7 * errors[25]


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(2, 100), shift=st.sampled_from(SHIFTS), noise=st.floats(0.01, 2))
def test_the_first_step_has_the_std_of_the_noise_level_however_small_it_is(steps: int, shift: float, noise: float):
    assert flow.sde_std(flow.levels(steps, shift), steps - 1, noise) == pytest.approx(noise)


def test_a_prediction_of_the_noise_alone_is_refused():
    x = torch.zeros(1, 2)
    with pytest.raises(TypeError, match="the flow needs the clean token beside the noise"):
        flow.sde_transition(x, Prediction(x, x), flow.levels(4, 1.0), 3, noise=0.7)
