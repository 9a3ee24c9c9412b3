import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.nets.mae import Seen
from margrpo.nets.mar import Mar
from margrpo.testing import small
from margrpo.testing.strategies import seeds
from tests.golden.reading import allowed, largest_difference, recorded
from tests.weights.published import labelled, published

GOLDEN = recorded("mar_backbone_s16")
PREFIX = 8


@pytest.fixture(scope="module")
def model() -> Mar:
    return published()


def prefix(model: Mar) -> torch.Tensor:
    """The recorded pass drops the prompt of its last image."""
    given = model.prefix(labelled(GOLDEN["in.labels"]))
    return torch.cat([given[:2], model.null_prefix(1)])


@pytest.mark.golden("mar_backbone_s16")
def test_the_prefix_is_the_published_class_embedding(model: Mar):
    assert torch.equal(prefix(model)[:, 0], GOLDEN["out.class_embedding"])


@pytest.mark.golden("mar_backbone_s16")
def test_encoder_and_decoder_answer_as_the_published_ones(model: Mar):
    unknown, tokens = GOLDEN["in.mask"].bool(), GOLDEN["in.tokens"]
    encoded = model.backbone.mae.encode(tokens, Seen.of(unknown, PREFIX), prefix(model))
    assert largest_difference(encoded.unflatten(0, (3, -1)), GOLDEN["out.encoder_out"]) <= allowed(
        "mar_backbone_s16", "encoder_out"
    )
    z = model.condition(tokens, unknown, prefix(model))
    assert largest_difference(z, GOLDEN["out.decoder_z"]) <= allowed("mar_backbone_s16", "decoder_z")


@pytest.mark.golden("mar_backbone_s16")
def test_an_image_of_which_nothing_is_known_is_answered_as_published(model: Mar):
    unknown, tokens = torch.ones(3, 16, dtype=torch.bool), GOLDEN["in.tokens"]
    prompts = model.prefix(labelled(GOLDEN["in.labels"]))
    encoded = model.backbone.mae.encode(tokens, Seen.of(unknown, PREFIX), prompts).unflatten(0, (3, -1))
    outputs = {"out.allmask_encoder": encoded, "out.allmask_z": model.condition(tokens, unknown, prompts)}
    for key, ours in outputs.items():
        assert largest_difference(ours, GOLDEN[key]) <= allowed("mar_backbone_s16", key), key


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, hidden=st.integers(0, 4))
def test_the_values_of_unknown_tokens_are_not_read(seed: int, hidden: int):
    model, generator = small.pipeline(seed=seed).model, torch.Generator().manual_seed(seed)
    tokens, other = torch.randn(2, 4, 4, small.CHANNELS, generator=generator)
    unknown = torch.rand(4, 4, generator=generator).argsort(1) < hidden
    prefix = model.prefix(small.prompts())
    mixed = torch.where(unknown[..., None], other, tokens)
    assert torch.equal(model.condition(mixed, unknown, prefix), model.condition(tokens, unknown, prefix))


def test_values_of_unknown_tokens_do_not_reach_a_gradient_either():
    model, tokens = small.pipeline().model, torch.zeros(4, 4, small.CHANNELS)
    tokens[:, 2] = torch.nan
    unknown = tokens.isnan().any(-1)
    model.condition(tokens, unknown, model.prefix(small.prompts())).sum().backward()
    assert bool(small.gradients(model).isfinite().all())


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds)
def test_a_known_token_and_the_prompt_reach_every_condition(seed: int):
    model, generator = small.pipeline(seed=seed).model, torch.Generator().manual_seed(seed)
    tokens = torch.randn(4, 4, small.CHANNELS, generator=generator)
    unknown = torch.tensor([[False, True, True, True]] * 4)
    given, null = model.prefix(small.prompts()), model.null_prefix(4)
    z = model.condition(tokens, unknown, given)
    assert bool(((model.condition(tokens + 1, unknown, given) - z).abs().amax(-1) > 0).all())
    assert bool(((model.condition(tokens, unknown, null) - z).abs().amax(-1) > 0).all())


def test_the_encoder_reads_prefix_and_known_tokens_image_by_image():
    unknown = torch.tensor([[True, False, True, False], [False, True, False, False]])
    seen = Seen.of(unknown, 2)
    assert seen.known.tolist() == [1, 3, 4, 6, 7]
    assert seen.positions.tolist() == [0, 1, 3, 5, 6, 7, 8, 10, 11]
    assert seen.order.tolist() == [0, 1, 4, 5, 2, 3, 6, 7, 8]
    assert seen.lengths == [4, 5]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds, data=st.data())
def test_images_that_differ_in_what_is_known_are_answered_together_as_alone(seed: int, data: st.DataObject):
    model, generator = small.pipeline(seed=seed).model, torch.Generator().manual_seed(seed)
    tokens = torch.randn(4, 4, small.CHANNELS, generator=generator)
    hidden = torch.tensor(data.draw(st.lists(st.integers(0, 4), min_size=4, max_size=4)))
    unknown = torch.rand(4, 4, generator=generator).argsort(1) < hidden[:, None]
    prefix = model.prefix(small.prompts())
    together = model.condition(tokens, unknown, prefix)
    alone = [model.condition(tokens[i, None], unknown[i, None], prefix[i, None]) for i in range(4)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)
