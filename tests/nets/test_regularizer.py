import torch

from margrpo.nets.regularizer import Regularizer
from margrpo.testing import small


def test_the_reference_is_a_frozen_copy_that_the_model_leaves_behind():
    model = small.pipeline().model
    regularizer = Regularizer(model, lambda mean, reference, std: mean.sum(-1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small.alive(model, seed=9)
    regularizer.after_step(1, model)
    assert not any(value.requires_grad for value in regularizer.reference.parameters())
    assert all(torch.equal(value, before[name]) for name, value in regularizer.reference.state_dict().items())


def test_a_reference_that_is_due_becomes_the_model():
    model = small.pipeline().model
    regularizer = Regularizer(model, lambda mean, reference, std: mean.sum(-1), lambda step: step == 2)
    small.alive(model, seed=9)
    for step, follows in ((1, False), (2, True)):
        regularizer.after_step(step, model)
        same = [torch.equal(v, regularizer.reference.state_dict()[name]) for name, v in model.state_dict().items()]
        assert all(same) == follows


def test_without_a_model_nothing_is_kept():
    regularizer = Regularizer(None, lambda mean, reference, std: torch.zeros(mean.shape[:-1]))
    regularizer.after_step(1, small.pipeline().model)
    assert regularizer.reference is None
