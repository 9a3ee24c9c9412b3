import pytest
import torch

from margrpo.components.attention import Sdpa
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.weights.published_names import published_name
from tests.golden.reading import layouts


@pytest.mark.golden("STATE_DICT_LAYOUTS")
@pytest.mark.parametrize("size", ["base", "large", "huge"])
def test_each_full_size_has_exactly_the_published_names_and_shapes(size: str):
    theirs = layouts()[f"mar_{size}"]
    policy = Mar(weights="random", size=size, conditioner=Label(), parameterization=Epsilon())
    with torch.device("meta"):
        model = policy.assemble(Sdpa())
    found = {published_name(name): list(value.shape) for name, value in model.state_dict().items()}
    assert found == theirs["state_dict"]
    assert len(found) == theirs["n_keys"]
    assert sum(value.numel() for value in model.parameters()) == theirs["params"]
    assert (policy.head_depth, policy.head_width) == (theirs["diffloss_d"], theirs["diffloss_w"])
