"""The small MAR whose numbers were recorded, in our modules."""

import torch
from torch import Tensor

from margrpo.components.attention import Sdpa
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.nets import mar
from margrpo.records import Prompts
from margrpo.weights.published_names import our_name
from tests.golden.reading import recorded

SETTINGS = {"tokens": 16, "channels": 16, "width": 64, "encoder_depth": 2, "decoder_depth": 2, "heads": 4}


def published() -> mar.Mar:
    """The model with the recorded weights."""
    conditioner = Label(classes=10, prefix=8)
    policy = Mar(
        weights="random",
        conditioner=conditioner,
        parameterization=Epsilon(),
        head_width=64,
        head_depth=3,
        **SETTINGS,
    )
    model = policy.build(attention=Sdpa())
    model.load_state_dict({our_name(k): v for k, v in recorded("mar_backbone_s16", "state_dict.").items()})
    return model


def labelled(labels: Tensor) -> Prompts:
    """Prompts of these classes."""
    count = len(labels)
    return Prompts(("",) * count, labels, ({},) * count, torch.arange(count), tuple((i,) for i in range(count)))
