import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.attention import Sdpa
from margrpo.nets.mar import Head
from margrpo.records import Prediction
from margrpo.testing import small
from margrpo.testing.strategies import seeds


@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=seeds, tokens=st.integers(1, 9))
def test_random_weights_are_those_of_the_seed_and_leave_the_global_generator_alone(seed: int, tokens: int):
    before = torch.get_rng_state()
    first, second = (small.policy(tokens=tokens, seed=seed).build(attention=Sdpa()) for _ in range(2))
    other = small.policy(tokens=tokens, seed=seed + 1).build(attention=Sdpa())
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
    assert not torch.equal(first.backbone.mae.mask_token, other.backbone.mae.mask_token)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_built_model_has_the_settings_geometry_and_does_not_drop():
    policy = small.policy(tokens=6, channels=5, dropout=0.5)
    model = policy.build(attention=Sdpa())
    assert (model.tokens, model.channels) == policy.geometry() == (6, 5)
    assert not any(part.training for part in model.modules())


def predicted(head: Head, x: torch.Tensor, z: torch.Tensor) -> Prediction:
    (moment,) = head.embed_times([10.0])
    return head.meaning(head(x, head.prepare(z, moment)), x, 0.36)


def test_a_head_with_zero_init_predicts_nothing_so_training_starts_from_the_identity():
    head = small.policy(zero_init=True).build(attention=Sdpa()).head
    z, x = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    prediction = predicted(head, x[:, :3], z)
    assert torch.allclose(prediction.epsilon, 0.8 * x[:, :3])  # velocity 0: ε = √(1 − ᾱ) x
    assert torch.equal(prediction.variance, torch.zeros(4, 3))


def test_a_head_with_random_gates_gives_its_condition_a_gradient_and_one_with_zero_gates_does_not():
    for zero_init in (True, False):
        head = small.policy(zero_init=zero_init).build(attention=Sdpa()).head
        z, x = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
        z.requires_grad_()
        predicted(head, x[:, :3], z).epsilon.sum().backward()
        assert bool((z.grad != 0).any()) is not zero_init


def test_heads_that_do_not_divide_the_width_are_named_with_the_nearest_that_do():
    assert small.policy(width=8, heads=3).problems() == [
        "heads = 3 does not divide width = 8; the nearest that does is 2"
    ]
    assert small.policy().problems() == []
