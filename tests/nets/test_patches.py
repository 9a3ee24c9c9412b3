import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.nets.patches import Patches
from margrpo.testing.strategies import seeds


def images(seed: int, count: int = 6, side: int = 8) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, patch=st.sampled_from((1, 2, 4)))
def test_raw_patches_come_back_exactly_and_lie_between_minus_one_and_one(seed: int, patch: int):
    codec, pictures = Patches(side=8 // patch, patch=patch, components=0), images(seed)
    tokens = codec.encode(pictures)
    assert tokens.shape == (6, (8 // patch) ** 2, 3 * patch**2)
    assert float(tokens.abs().max()) <= 1
    assert torch.allclose(codec.decode(tokens), pictures, atol=1e-6)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds)
def test_fitted_components_are_white_and_all_of_them_are_exact(seed: int):
    codec, pictures = Patches(side=4, patch=2, components=12), images(seed, 40)
    codec.fit(pictures)
    tokens = codec.encode(pictures).flatten(0, 1)
    assert torch.allclose(tokens.mean(0), torch.zeros(12), atol=1e-3)
    assert torch.allclose(torch.cov(tokens.T), torch.eye(12), atol=1e-2)
    assert torch.allclose(codec.decode(codec.encode(pictures)), pictures, atol=1e-4)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds)
def test_more_components_keep_more_of_the_picture(seed: int):
    pictures, errors = images(seed, 40), []
    for components in (1, 4, 8, 12):
        codec = Patches(side=4, patch=2, components=components)
        codec.fit(pictures)
        errors.append(float((codec.decode(codec.encode(pictures)) - pictures).square().mean()))
    assert errors == sorted(errors, reverse=True)


def test_one_pixel_lands_in_its_token_and_channel():
    picture = torch.full((1, 3, 4, 4), 0.5)
    picture[0, 1, 2, 1] = 1.0  # green, row 2, column 1: token 2 of four, channel g·4 + row 0·2 + column 1
    tokens = Patches(side=2, patch=2, components=0).encode(picture)
    assert [tuple(place) for place in tokens.nonzero().tolist()] == [(0, 2, 5)]


def test_decoded_values_are_clamped_to_what_a_picture_can_show():
    decoded = Patches(side=1, patch=1, components=0).decode(torch.tensor([[[-3.0, 0.0, 3.0]]]))
    assert decoded.flatten().tolist() == [0.0, 0.5, 1.0]
