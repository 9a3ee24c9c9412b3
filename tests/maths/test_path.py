import pytest
import torch
from hypothesis import given, settings

from margrpo.components.parameterization import Epsilon, Flow, Velocity
from margrpo.contracts import Parameterization
from margrpo.maths.path import DIFFUSION, FLOW, Path
from margrpo.testing.strategies import seeds

TIMES = torch.tensor([0, 1, 500, 998, 999])


@pytest.mark.parametrize("path", [DIFFUSION, FLOW])
def test_a_path_goes_from_the_token_to_the_noise(path: Path):
    clean, noise = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    share = path.alpha_bar(TIMES)
    assert share.dtype == torch.float32
    assert bool((share.diff(dim=0) <= 0).all())
    x = path.noised(clean, noise, share)
    assert torch.allclose(x[0], clean[0], atol=0.03)
    assert torch.allclose(x[-1], noise[-1], atol=0.03)


def test_times_are_counted_from_zero_in_a_diffusion_and_in_thousandths_of_the_level_in_a_flow():
    assert DIFFUSION.time(TIMES).tolist() == TIMES.tolist()
    assert FLOW.time(TIMES).tolist() == [1, 2, 501, 999, 1000]
    clean, noise = torch.zeros(5, 1), torch.ones(5, 1)
    level = FLOW.noised(clean, noise, FLOW.alpha_bar(TIMES))[:, 0]
    assert torch.allclose(level, torch.tensor([0.001, 0.002, 0.501, 0.999, 1.0]), atol=1e-4)


@settings(derandomize=True, deadline=None)
@given(seed=seeds)
def test_the_target_of_pre_training_gives_back_noise_and_token(seed: int):
    clean, noise = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(seed)).double()
    for kind in (Epsilon(), Velocity(), Flow()):
        share = kind.path.alpha_bar(TIMES).double()
        x = kind.path.noised(clean, noise, share)
        target = kind.target(clean, noise, share)
        assert torch.allclose(kind.epsilon(target, x, share), noise, atol=1e-9)
        found = kind.x0(target, x, share)
        assert found is None or torch.allclose(found, clean, atol=1e-9)


@pytest.mark.parametrize("kind", [Epsilon(), Velocity(), Flow()])
def test_only_a_flow_has_no_variance_to_learn(kind: Parameterization):
    values = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    bound = kind.path.bound(*values, t=TIMES)
    assert bool((bound == 0).all()) == (kind.path is FLOW)
