import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.sampler import Ddim, Ddpm, FlowSde
from margrpo.declare import SettingError
from margrpo.records import Prediction
from margrpo.testing.strategies import samplers, seeds


def state(seed: int) -> tuple[torch.Tensor, Prediction]:
    x, epsilon, variance = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return x, Prediction(epsilon, variance.tanh())


@settings(derandomize=True, deadline=None)
@given(sampler=samplers(most=30), seed=seeds)
def test_a_transition_has_a_std_exactly_where_it_has_a_density(sampler: Ddpm | Ddim, seed: int):
    x, prediction = state(seed)
    for t in range(sampler.steps):
        std = sampler.transition(x, prediction, t).std
        assert bool((std > 0).all()) == sampler.has_density(t)
        assert (sampler.nominal_std(t) > 0) == sampler.has_density(t)
    assert [t for t in range(sampler.steps) if not sampler.has_density(t)] == [0]


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(2, 30), temperature=st.floats(0.5, 2), seed=seeds)
def test_scoring_the_last_transition_gives_it_a_std_and_draws_no_noise(steps: int, temperature: float, seed: int):
    x, prediction = state(seed)
    plain, scored = (Ddpm(steps=steps, temperature=temperature, score_last=last) for last in (False, True))
    assert scored.has_density(0)
    assert not plain.has_density(0)
    for t in range(steps):
        ours, theirs = scored.transition(x, prediction, t), plain.transition(x, prediction, t)
        assert scored.draws_noise(t) == plain.draws_noise(t) == (t > 0)
        assert torch.equal(ours.mean, theirs.mean)
        assert torch.equal(ours.std, theirs.std) == (t > 0)
        assert bool((ours.std > 0).all())
        assert scored.nominal_std(t) > 0


@settings(derandomize=True, deadline=None, max_examples=30)
@given(steps=st.integers(2, 30), seed=seeds)
def test_without_eta_nothing_has_a_density(steps: int, seed: int):
    sampler, (x, prediction) = Ddim(steps=steps, eta=0.0), state(seed)
    for t in range(steps):
        assert not sampler.has_density(t)
        assert torch.equal(sampler.transition(x, prediction, t).std, torch.zeros_like(x))


@settings(derandomize=True, deadline=None)
@given(sampler=samplers(most=30), seed=seeds)
def test_temperature_scales_the_std_and_leaves_the_mean(sampler: Ddpm | Ddim, seed: int):
    x, prediction = state(seed)
    plain = Ddpm(steps=sampler.steps) if isinstance(sampler, Ddpm) else Ddim(steps=sampler.steps, eta=sampler.eta)
    for t in range(sampler.steps):
        warm, cold = sampler.transition(x, prediction, t), plain.transition(x, prediction, t)
        assert torch.equal(warm.mean, cold.mean)
        assert torch.allclose(warm.std, cold.std * sampler.temperature)
        assert sampler.nominal_std(t) == pytest.approx(plain.nominal_std(t) * sampler.temperature)


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(2, 30), seed=seeds)
def test_the_nominal_std_of_ddpm_is_the_middle_of_its_learned_range(steps: int, seed: int):
    x, prediction = state(seed)
    middle = Prediction(prediction.epsilon, torch.zeros_like(x))
    for t in range(2, steps):
        std = Ddpm(steps=steps).transition(x, middle, t).std
        assert torch.allclose(std, torch.full_like(std, Ddpm(steps=steps).nominal_std(t)), rtol=1e-4)


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(2, 30), eta=st.floats(0.1, 1), seed=seeds)
def test_the_nominal_std_of_ddim_is_the_std(steps: int, eta: float, seed: int):
    x, prediction = state(seed)
    for t in range(steps):
        std = Ddim(steps=steps, eta=eta).transition(x, prediction, t).std
        assert torch.allclose(std, torch.full_like(std, Ddim(steps=steps, eta=eta).nominal_std(t)))


@pytest.mark.parametrize("kind", [Ddpm, Ddim])
def test_time_and_signal_run_from_clean_to_noise(kind: type):
    sampler = kind(steps=25)
    assert (sampler.time(0), sampler.time(24)) == (0.0, 999.0)
    signal = [sampler.alpha_bar(t) for t in range(25)]
    assert signal == sorted(signal, reverse=True)
    assert signal[0] > 0.999
    assert signal[-1] < 1e-6


def test_one_step_a_cold_chain_and_an_eta_above_one_are_refused():
    with pytest.raises(SettingError, match="steps = 1 must be between 2 and 1000"):
        Ddpm(steps=1)
    with pytest.raises(SettingError, match=r"temperature = 0\.0 must be greater than 0"):
        Ddpm(temperature=0.0)
    with pytest.raises(SettingError, match=r"eta = 1\.5 must be between 0 and 1"):
        Ddim(eta=1.5)


flows = st.builds(
    FlowSde, steps=st.integers(2, 30), shift=st.sampled_from((0.5, 1.0, 3.0)), noise=st.sampled_from((0.3, 0.7))
)


@settings(derandomize=True, deadline=None)
@given(sampler=flows, seed=seeds)
def test_every_transition_of_a_flow_draws_noise_of_the_std_known_beforehand(sampler: FlowSde, seed: int):
    x, velocity = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed))
    for t in range(sampler.steps):
        level = sampler.level(t)
        found = sampler.transition(x, Prediction(x + (1 - level) * velocity, x, x - level * velocity), t)
        assert sampler.has_density(t)
        assert sampler.draws_noise(t)
        assert torch.allclose(found.std, torch.full_like(x, sampler.nominal_std(t)))
        assert bool((found.std > 0).all())


def test_a_flow_without_noise_has_no_density_anywhere():
    sampler = FlowSde(steps=5, noise=0.0)
    assert not any(sampler.has_density(t) or sampler.draws_noise(t) for t in range(5))
    assert [sampler.nominal_std(t) for t in range(5)] == [0.0] * 5


def test_time_and_signal_of_a_flow_run_from_clean_to_noise():
    sampler = FlowSde(steps=25)
    assert (sampler.time(0), sampler.time(24)) == (pytest.approx(1.0), 1000.0)
    signal = [sampler.alpha_bar(t) for t in range(25)]
    assert signal == sorted(signal, reverse=True)
    assert (signal[0], signal[-1]) == (pytest.approx(1.0, abs=1e-5), 0.0)


def test_a_flow_of_negative_noise_or_without_shift_is_refused():
    with pytest.raises(SettingError, match=r"noise = -0\.1 must be 0 or more"):
        FlowSde(noise=-0.1)
    with pytest.raises(SettingError, match=r"shift = 0\.0 must be greater than 0"):
        FlowSde(shift=0.0)
