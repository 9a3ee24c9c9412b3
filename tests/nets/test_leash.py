import torch

from margrpo.nets.leash import Leash
from margrpo.testing import small


def test_the_reference_is_a_frozen_copy_that_the_model_leaves_behind():
    model = small.pipeline().model
    leash = Leash(model, lambda mean, reference, std: mean.sum(-1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small.alive(model, seed=9)
    leash.after_step(1, model)
    assert not any(value.requires_grad for value in leash.reference.parameters())
    assert all(torch.equal(value, before[name]) for name, value in leash.reference.state_dict().items())


def test_a_reference_that_is_due_becomes_the_model():
    model = small.pipeline().model
    leash = Leash(model, lambda mean, reference, std: mean.sum(-1), lambda step: step == 2)
    small.alive(model, seed=9)
    for step, follows in ((1, False), (2, True)):
        leash.after_step(step, model)
        same = [torch.equal(v, leash.reference.state_dict()[name]) for name, v in model.state_dict().items()]
        assert all(same) == follows


def test_without_a_model_nothing_is_kept():
    leash = Leash(None, lambda mean, reference, std: torch.zeros(mean.shape[:-1]))
    leash.after_step(1, small.pipeline().model)
    assert leash.reference is None
