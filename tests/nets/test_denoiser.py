import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths.diffusion import guided
from margrpo.nets.denoiser import Denoiser, sinusoid
from margrpo.records import Prediction
from margrpo.testing.small import alive
from margrpo.testing.strategies import seeds
from tests.golden.reading import allowed, largest_difference, recorded

GOLDEN = recorded("mlp_head")


@pytest.fixture(scope="module")
def published() -> Denoiser:
    net = Denoiser(channels=16, condition=48, width=64, depth=3)
    net.load_state_dict(recorded("mlp_head", "state_dict."))
    return net


def forward(net: Denoiser) -> torch.Tensor:
    return net(GOLDEN["in.x"], net.prepare(GOLDEN["in.c"], net.time_embed(GOLDEN["in.t"])))


@pytest.mark.golden("mlp_head")
def test_the_head_answers_as_the_published_one(published: Denoiser):
    embedding, embedded = sinusoid(GOLDEN["in.t"]), published.time_embed(GOLDEN["in.t"])
    outputs = {"timestep_embedding_256": embedding, "time_embed": embedded, "forward": forward(published)}
    for name, ours in outputs.items():
        assert largest_difference(ours, GOLDEN[f"out.{name}"]) <= allowed("mlp_head", f"out.{name}"), name


@pytest.mark.golden("mlp_head")
def test_its_gradients_are_the_published_ones(published: Denoiser):
    x, c = GOLDEN["in.x"].clone().requires_grad_(), GOLDEN["in.c"].clone().requires_grad_()
    published.zero_grad()
    output = published(x, published.prepare(c, published.time_embed(GOLDEN["in.t"])))
    (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
    assert largest_difference(x.grad, GOLDEN["out.grad_x"]) <= allowed("mlp_head", "grad_x")
    assert largest_difference(c.grad, GOLDEN["out.grad_c"]) <= allowed("mlp_head", "grad_c")
    for name, value in published.named_parameters():
        if f"out.grad.{name}" in GOLDEN:
            assert largest_difference(value.grad, GOLDEN[f"out.grad.{name}"]) <= allowed("mlp_head", f"grad.{name}")


@pytest.mark.golden("mlp_head")
@pytest.mark.parametrize("scale", [3.0, 1.7])
def test_guidance_is_the_published_one(published: Denoiser, scale: float):
    x, time = GOLDEN["in.x"][:6].repeat(2, 1), GOLDEN["in.t"][:6].repeat(2)
    epsilon, variance = published(x, published.prepare(GOLDEN["in.c"], published.time_embed(time))).chunk(2, dim=1)
    found = guided(Prediction(epsilon[:6], variance[:6]), Prediction(epsilon[6:], variance[6:]), scale)
    # Both halves carry the mixed noise; the second has the variance of the unconditional branch, which nothing reads.
    theirs, output = GOLDEN[f"out.cfg{scale:g}"], f"cfg{scale:g}"
    assert largest_difference(found.epsilon.repeat(2, 1), theirs[:, :16]) <= allowed("mlp_head", output)
    ours = torch.cat([found.variance, variance[6:]])
    assert largest_difference(ours, theirs[:, 16:]) <= allowed("mlp_head", output)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, k=st.integers(1, 4), tokens=st.integers(1, 5), depth=st.integers(1, 3))
def test_trajectories_share_one_modulation(seed: int, k: int, tokens: int, depth: int):
    net = alive(Denoiser(channels=3, condition=5, width=8, depth=depth), seed)
    generator = torch.Generator().manual_seed(seed)
    x, z = torch.randn(k, tokens, 3, generator=generator), torch.randn(tokens, 5, generator=generator)
    moment = net.time_embed(torch.tensor(7.0))
    modulation = net.prepare(z, moment)
    one_by_one = torch.stack([net(each, net.prepare(z, moment)) for each in x])
    assert torch.allclose(net(x, modulation), one_by_one, atol=1e-5)


def test_a_new_head_is_the_identity_in_every_block_and_answers_zero():
    net = Denoiser(channels=3, condition=5, width=8, depth=2)
    x, z = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0)).split((3, 5), dim=-1)
    modulation = net.prepare(z[0], net.time_embed(torch.tensor(1.0)))
    assert all(bool((gate == 0).all()) for _, _, gate in modulation.blocks)
    assert torch.equal(net(x[0], modulation), torch.zeros(4, 6))
