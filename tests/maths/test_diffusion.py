import math
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths import diffusion
from margrpo.maths.diffusion import ddim_std, ddim_transition, ddpm_transition, guided, noised, predicted_clean, tables
from margrpo.records import Prediction
from margrpo.testing.strategies import seeds
from tests.golden.reading import allowed, largest_difference, recorded

STEPS = (1000, 100, 25, 10)


@pytest.mark.golden("ddpm")
@pytest.mark.parametrize("steps", STEPS)
def test_the_tables_are_the_published_ones(steps: int):
    theirs, ours = recorded("ddpm", f"T{steps}."), tables(steps)
    assert ours.time.tolist() == theirs["timestep_map"].tolist()
    assert ours.time[theirs["pmv.t"]].tolist() == theirs["pmv.t_seen_by_model"].tolist()
    for name, value in {
        "betas": ours.beta,
        "alphas_cumprod": ours.alpha_bar,
        "alphas_cumprod_prev": ours.alpha_bar_next,
        "posterior_variance": ours.posterior_variance,
        "posterior_log_variance_clipped": ours.log_posterior_variance,
    }.items():
        np.testing.assert_allclose(value, theirs[name].numpy(), rtol=1e-9, atol=1e-15, err_msg=name)


@pytest.mark.golden("ddpm")
@pytest.mark.parametrize("steps", STEPS)
def test_the_weights_of_token_and_noise_are_the_published_ones(steps: int):
    theirs, table = recorded("ddpm", f"T{steps}."), tables(steps)
    # Row 0 is x_t = 1 without noise, row 1 is x_t = 0 with noise 1: together they give back the four coefficients.
    x, epsilon = torch.eye(2, dtype=torch.float64).split(1, dim=1)
    weights = []
    for t in range(steps):
        signal, noise = predicted_clean(x, epsilon, float(table.alpha_bar[t])).flatten().tolist()
        both = ddpm_transition(x, Prediction(epsilon, epsilon), table, t).mean.flatten().tolist()
        weights.append((signal, -noise, both[1] / noise, both[0] - both[1] / noise * signal))
    names = ("sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_mean_coef1", "posterior_mean_coef2")
    for name, value in zip(names, np.array(weights).T, strict=True):
        np.testing.assert_allclose(value, theirs[name].numpy(), rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.golden("ddpm")
@pytest.mark.parametrize("steps", STEPS)
def test_transitions_are_the_published_ones(steps: int):
    case, table = recorded("ddpm", f"T{steps}."), tables(steps)
    rows: dict[str, list[torch.Tensor]] = defaultdict(list)
    for row, t in enumerate(case["pmv.t"].tolist()):
        x, alpha_bar = case["pmv.x"][row : row + 1], float(table.alpha_bar[t])
        prediction = Prediction(*case["pmv.model_output"][row : row + 1].chunk(2, dim=1))
        found = ddpm_transition(x, prediction, table, t)
        clean = predicted_clean(x, prediction.epsilon, alpha_bar)
        rows["pmv.mean"].append(found.mean)
        rows["pmv.pred_xstart"].append(clean)
        rows["pmv.log_variance"].append(2 * found.std.log())
        for temperature in (1.0, 0.9):
            noise = case["ps.noise"][row : row + 1] * (t > 0)  # at t = 0 none is drawn
            rows[f"ps.sample_temp{temperature}"].append(found.mean + found.std * temperature * noise)
        # The noise that would have led to the clipped token; the library never clips, its mean is right for it too.
        clipped = clean.clamp(-1, 1)
        epsilon = (x.double() - alpha_bar**0.5 * clipped) / (1 - alpha_bar) ** 0.5
        rows["pmv.mean_clip"].append(ddpm_transition(x.double(), Prediction(epsilon, epsilon), table, t).mean)
        rows["pmv.pred_xstart_clip"].append(clipped)
    for key, ours in rows.items():
        assert largest_difference(torch.cat(ours), case[key]) <= allowed("ddpm", f"T{steps}.{key}"), key


@pytest.mark.golden("ddpm")
@pytest.mark.parametrize("steps", STEPS)
def test_noised_tokens_are_the_published_ones(steps: int):
    case = recorded("ddpm", f"T{steps}.")
    alpha_bar = torch.tensor(tables(steps).alpha_bar[case["pmv.t"].numpy()], dtype=torch.float32)[:, None]
    found = noised(case["pmv.x"], case["ps.noise"], alpha_bar)
    assert largest_difference(found, case["q_sample"]) <= allowed("ddpm", f"T{steps}.q_sample")


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(2, 60), data=st.data())
def test_ddim_of_eta_one_has_the_std_of_ddpms_posterior(steps: int, data: st.DataObject):
    table, t = tables(steps), data.draw(st.integers(0, steps - 1))
    assert ddim_std(table, t, 1.0) == pytest.approx(table.posterior_variance[t] ** 0.5, abs=1e-12)
    assert ddim_std(table, t, 0.25) == pytest.approx(0.25 * ddim_std(table, t, 1.0))


@settings(derandomize=True, deadline=None)
@given(seed=seeds, steps=st.integers(2, 30), data=st.data())
def test_ddim_of_eta_one_has_ddpms_mean(seed: int, steps: int, data: st.DataObject):
    table, t = tables(steps), data.draw(st.integers(0, steps - 1))
    x, epsilon, variance = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed)).double()
    prediction = Prediction(epsilon, variance)
    ddim, ddpm = ddim_transition(x, prediction, table, t, eta=1.0), ddpm_transition(x, prediction, table, t)
    assert torch.allclose(ddim.mean, ddpm.mean, rtol=1e-6, atol=1e-6)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, steps=st.integers(2, 30), eta=st.floats(0, 1), data=st.data())
def test_ddim_carries_the_true_noise_one_step_down(seed: int, steps: int, eta: float, data: st.DataObject):
    # With the true ε, x_{t−1} has the marginal q(x_{t−1} | x_0): mean √ᾱ x_0 + √(1 − ᾱ − σ²) ε, variance σ².
    table, t = tables(steps), data.draw(st.integers(0, steps - 1))
    clean, epsilon = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed)).double()
    x = noised(clean, epsilon, torch.tensor(table.alpha_bar[t]).double().expand(4, 1))
    found = ddim_transition(x, Prediction(epsilon, epsilon), table, t, eta=eta)
    after, std = table.alpha_bar_next[t], ddim_std(table, t, eta)
    wanted = math.sqrt(after) * clean + math.sqrt(max(1 - after - std**2, 0)) * epsilon
    assert torch.allclose(found.mean, wanted, atol=1e-6)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, steps=st.integers(2, 30))
def test_the_learned_std_stays_between_its_bounds(seed: int, steps: int):
    table = tables(steps)
    x, epsilon = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed))
    for share, bound in ((1.0, table.beta), (-1.0, np.exp(table.log_posterior_variance))):
        found = ddpm_transition(x, Prediction(epsilon, torch.full_like(x, share)), table, steps - 1)
        assert torch.allclose(found.std, torch.tensor(bound[-1] ** 0.5).float().expand(4, 5), rtol=1e-4)


def test_guidance_by_hand_takes_the_variance_of_the_conditional_branch():
    given_, none = (
        Prediction(torch.tensor([[3.0]]), torch.tensor([[0.5]])),
        Prediction(*torch.tensor([[[1.0]], [[9.0]]])),
    )
    found = guided(given_, none, 2.5)
    assert (float(found.epsilon), float(found.variance)) == (6.0, 0.5)  # 1 + 2.5·(3 − 1)
    assert found.x0 is None
    per_token = guided(given_, none, torch.tensor([[0.0]]))
    assert float(per_token.epsilon) == 1.0


@settings(derandomize=True, deadline=None)
@given(seed=seeds, level=st.floats(0, 1), scale=st.floats(0, 8))
def test_guidance_of_noise_and_token_is_guidance_of_the_velocity(seed: int, level: float, scale: float):
    x, given_, none = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed)).double()
    parts = [Prediction(x + (1 - level) * v, v, x - level * v) for v in (given_, none)]
    found, mixed = guided(*parts, scale), none + scale * (given_ - none)
    assert torch.allclose(found.epsilon - found.x0, mixed)
    assert torch.allclose(found.x0, x - level * mixed)


def test_the_halves_of_a_prediction_are_its_tokens_in_order():
    epsilon, variance, x0 = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    first, second = Prediction(epsilon, variance, x0).halves()
    for name, whole in {"epsilon": epsilon, "variance": variance, "x0": x0}.items():
        assert torch.equal(torch.cat([getattr(first, name), getattr(second, name)], dim=1), whole)
    assert [half.x0 for half in Prediction(epsilon, variance).halves()] == [None, None]


@pytest.mark.parametrize("steps", [2, 3, 25, 1000])
def test_respaced_times_run_from_the_first_to_the_last(steps: int):
    times = diffusion.respaced_times(steps)
    assert (times[0], times[-1], len(set(times.tolist()))) == (0, 999, steps)
