import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from margrpo.components.sampler import Ddim, Ddpm
from margrpo.maths.diffusion import guided
from margrpo.testing import small
from margrpo.testing.strategies import samplers, seeds
from margrpo.train.rollout.condition import Condition, places
from margrpo.train.rollout.reverse_process import ReverseProcess, packed, step_gaussian


def condition(seed: int, tokens: int, scale: object) -> Condition:
    z, null = torch.randn(2, tokens, 8, generator=torch.Generator().manual_seed(seed))
    if scale is None:
        return Condition.unguided(z)
    return Condition(z, null, torch.as_tensor(scale).expand(tokens, 1))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, sampler=samplers(), k=st.integers(1, 3), tokens=st.integers(1, 5), data=st.data())
def test_a_transition_is_recorded_as_it_was_taken(seed: int, sampler: Ddpm, k: int, tokens: int, data: st.DataObject):
    head, scale = small.pipeline(seed=seed).model.head, data.draw(st.sampled_from((None, 2.0)))
    keep = data.draw(st.lists(st.integers(0, sampler.steps - 1), unique=True).map(lambda x: sorted(x, reverse=True)))
    noise = torch.randn(sampler.steps + 1, k, tokens, 3, generator=torch.Generator().manual_seed(seed))
    known, where = condition(seed, tokens, scale), torch.ones(tokens, 1, dtype=torch.bool)
    process = ReverseProcess.of(head, sampler)
    chain = process.draw(known, noise, keep=keep, drawn=where)
    assert chain.state.shape[0] == len(keep)
    for j, t in enumerate(keep):
        again = step_gaussian(head, sampler, known, chain.state[j], t)
        assert torch.equal(again.mean, chain.mean[j])
        assert torch.equal(again.std, chain.std[j])
        assert torch.equal(chain.next[j], chain.mean[j] + chain.std[j] * noise[sampler.steps - t])
    nothing = process.draw(known, noise, keep=(), drawn=where)
    assert torch.equal(nothing.sample, chain.sample)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, tokens=st.integers(1, 5))
def test_guidance_mixes_the_two_branches_token_by_token(seed: int, tokens: int):
    head, sampler = small.pipeline(seed=seed).model.head, Ddim(steps=5)
    scale = torch.rand(tokens, 1, generator=torch.Generator().manual_seed(seed)) * 4
    known = condition(seed, tokens, scale)
    x = torch.randn(2, tokens, 3, generator=torch.Generator().manual_seed(seed + 1))
    process = ReverseProcess.of(head, sampler, (2,))
    (apart, other), (found,) = (
        [process.predictions(Condition.unguided(z), x[None])[0] for z in (known.z, known.null)],
        process.predictions(known, x[None]),
    )
    wanted = guided(apart, other, scale)
    assert torch.allclose(found.epsilon, wanted.epsilon, atol=1e-5)
    assert torch.allclose(found.variance, apart.variance, atol=1e-6)
    (plain,) = process.predictions(Condition(known.z, known.null, torch.ones(tokens, 1)), x[None])
    assert torch.allclose(plain.epsilon, apart.epsilon, atol=1e-5)


def test_packed_noise_is_image_major():
    noise = torch.arange(12.0).view(2, 1, 1, 3, 2).expand(2, 2, 4, 3, 2)
    where = torch.tensor([[True, False, True], [False, True, True]])
    found = packed(noise, places(where, 4))
    assert found.shape == (4, 2, 4, 2)
    assert found[0, 0].tolist() == [[0, 1], [4, 5], [8, 9], [10, 11]]


def test_some_rows_of_a_condition_keep_their_own_scale():
    known = condition(0, 4, torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
    rows = known.at(torch.tensor([2, 0]))
    assert rows.scale.flatten().tolist() == [3.0, 1.0]
    assert torch.equal(rows.z, known.z[[2, 0]])
    assert torch.equal(rows.null, known.null[[2, 0]])


class WithoutLooking(TorchDispatchMode):
    """Refuses every operation whose result, or its shape, the host would have to wait for."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "item", "is_nonzero", "unique", "equal")

    def __torch_dispatch__(
        self, operation: object, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        name = operation.overloadpacket.__name__
        by_mask = name == "index" and any(x is not None and x.dtype == torch.bool for x in args[1])
        assert name not in self.WAITING, name
        assert not by_mask, "index by a mask"
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("guided", [False, True])
def test_nothing_in_a_chain_depends_on_data(guided: bool):
    pipeline = small.pipeline()
    head, sampler = pipeline.model.head, pipeline.sampler
    known, process = condition(0, 5, 2.0 if guided else None), ReverseProcess.of(head, sampler)
    noise = torch.randn(sampler.steps + 1, 2, 5, 3)
    with WithoutLooking():
        process.draw(known, noise, keep=(2, 1), drawn=torch.ones(5, 1, dtype=torch.bool))
    with pytest.raises(AssertionError, match="index by a mask"), WithoutLooking():
        noise[noise > 0]


def test_a_chain_taken_at_once_is_the_chain():
    pipeline = small.pipeline()
    head, sampler = pipeline.model.head, pipeline.sampler
    known, process = condition(0, 5, 2.0), ReverseProcess.of(head, sampler)
    noise = torch.randn(sampler.steps + 1, 2, 5, 3)
    chain = process.draw(known, noise, keep=(), drawn=torch.ones(5, 1, dtype=torch.bool))
    assert torch.equal(process.sample(known, noise), chain.sample)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(data=st.data(), images=st.integers(1, 4), tokens=st.integers(1, 6))
def test_places_are_those_of_the_marked_tokens_in_order(data: st.DataObject, images: int, tokens: int):
    flat = data.draw(st.lists(st.booleans(), min_size=images * tokens, max_size=images * tokens))
    where = torch.tensor(flat).view(images, tokens)
    assert places(where, sum(flat)).tolist() == [place for place, marked in enumerate(flat) if marked]
