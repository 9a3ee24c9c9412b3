import pytest

from margrpo.components.attention import Sdpa
from margrpo.components.conditioner import Label
from margrpo.components.trainable import Backbone, Everything, Head
from margrpo.plan.sizes import sizes, trained
from margrpo.testing import small


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tokens": 9, "width": 12, "heads": 3, "encoder_depth": 3, "decoder_depth": 2},
        {"head_width": 20, "head_depth": 4, "channels": 7},
        {"conditioner": Label(classes=11, prefix=5)},
    ],
)
def test_parameters_are_counted_as_they_are_built(settings: dict[str, object]) -> None:
    policy = small.policy(**settings)
    built, of = policy.build(attention=Sdpa()), sizes(policy)
    assert of is not None
    assert of.backbone == sum(value.numel() for value in built.backbone.parameters())
    assert of.head == sum(value.numel() for value in built.head.parameters())
    for trainable in (Backbone(), Head(), Everything()):
        assert trained(trainable, of) == sum(value.numel() for _, value in trainable.parameters(built))


def test_the_sizes_of_a_foreign_policy_are_not_made_up() -> None:
    assert sizes(object()) is None
    assert sizes(small.policy(conditioner=type("Mine", (), {"prefix": 3})())) is None


def test_a_foreign_choice_of_parameters_may_be_all_of_them() -> None:
    of = sizes(small.policy())
    assert of is not None
    assert trained(object(), of) == of.backbone + of.head
