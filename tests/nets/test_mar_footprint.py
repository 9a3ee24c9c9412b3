import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from margrpo.components.attention import Sdpa
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.components.trainable import Backbone, Everything, Head
from margrpo.evaluate.measure import ATTENTION
from margrpo.testing import small


def counted(do: object) -> int:
    with FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter, torch.no_grad():
        do()
    return counter.get_total_flops()


MADE = small.policy(tokens=9, width=16, encoder_depth=2, decoder_depth=3, head_width=12, head_depth=2)
OF, MODEL = MADE.footprint(), small.pipeline(side=3, made=MADE).model.requires_grad_(False)


@pytest.mark.parametrize("known", [0, 4, 9])
def test_a_pass_of_the_backbone_costs_what_the_formula_says(known: int):
    tokens, unknown = torch.zeros(2, 9, small.CHANNELS), torch.arange(9)[None].expand(2, 9) >= known
    found = counted(lambda: MODEL.condition(tokens, unknown, MODEL.null_prefix(2)))
    assert found == 2 * OF.backbone.flops(known)


@pytest.mark.parametrize(("tokens", "chains", "steps"), [(5, 1, 1), (7, 3, 1), (2, 4, 1)])
def test_the_head_costs_what_the_formula_says(tokens: int, chains: int, steps: int):
    head, moments = MODEL.head, MODEL.head.embed_times([1.0])
    x, z = torch.zeros(chains, steps, tokens, small.CHANNELS), torch.zeros(tokens, MADE.width)
    assert counted(lambda: head(x, head.prepare(z, moments))) == tokens * steps * OF.head.flops.of(chains)
    assert counted(lambda: head.embed_times([1.0, 2.0, 3.0])) == 3 * OF.head.times


def test_the_published_sizes_of_mar_base_give_the_published_order_of_cost():
    base = Mar(size="base", weights="random", conditioner=small.policy().conditioner, parameterization=Epsilon())
    flops = base.footprint().head.flops
    assert flops.token / flops.chain == pytest.approx(1.72, abs=0.01)


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
    built, of = policy.build(attention=Sdpa()), policy.footprint()
    assert of.backbone.parameters == sum(value.numel() for value in built.backbone.parameters())
    assert of.head.parameters == sum(value.numel() for value in built.head.parameters())
    for trainable in (Backbone(), Head(), Everything()):
        trained = sum(value.numel() for _, value in trainable.parameters(built))
        assert sum(trainable.trained(of.backbone.parameters, of.head.parameters)) == trained
