"""Reverse diffusions of packed tokens under a condition."""

from collections.abc import Iterator, Sequence

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Head, Sampler
from margrpo.declare import record
from margrpo.maths import diffusion
from margrpo.records import Chain, Gaussian, Prediction
from margrpo.train.condition import Condition


@record
class Moments:
    """Some transitions and what the head makes of their times."""

    transitions: tuple[int, ...]
    embedded: Float[Tensor, "t w"]

    @classmethod
    def of(cls, head: Head, sampler: Sampler, transitions: Sequence[int]) -> "Moments":
        """Embed the times of some transitions; always among those of all, because sums depend on their number."""
        every = head.moments([sampler.time(t) for t in range(sampler.steps)])
        return cls(tuple(transitions), every[list(transitions)])

    @classmethod
    def all(cls, head: Head, sampler: Sampler) -> "Moments":
        """Those of every transition, as they are taken backwards."""
        return cls.of(head, sampler, tuple(reversed(range(sampler.steps))))

    def at(self, places: slice) -> "Moments":
        """Some of them."""
        return Moments(self.transitions[places], self.embedded[places])

    def each(self) -> "Iterator[Moments]":
        """One after the other."""
        return (self.at(slice(place, place + 1)) for place in range(len(self.transitions)))


def predict(
    head: Head, sampler: Sampler, condition: Condition, x: Float[Tensor, "t k m d"], of: Moments
) -> list[Prediction]:
    """The head's predictions for x_t at some transitions, guided where the condition has a scale; all in one pass."""
    halves = 1 if condition.null is None else 2
    z = condition.z if condition.null is None else torch.cat([condition.z, condition.null])
    states = torch.cat([x] * halves, dim=-2) if halves > 1 else x
    raw = head(rearrange(states, "t k m d -> k t m d"), head.prepare(z, of.embedded))
    found = []
    for state, output, variance, t in zip(states, *(part.unbind(1) for part in raw), of.transitions, strict=True):
        prediction = head.meaning((output, variance), state, sampler.alpha_bar(t))
        found.append(prediction if halves == 1 else diffusion.guided(*prediction.halves(), condition.scale))
    return found


def transitions(
    head: Head, sampler: Sampler, condition: Condition, x: Float[Tensor, "t k m d"], of: Moments
) -> list[Gaussian]:
    """The distribution of x_{t−1} given x_t, at each of some transitions."""
    predictions = predict(head, sampler, condition, x, of)
    return [sampler.transition(each, said, t) for each, said, t in zip(x, predictions, of.transitions, strict=True)]


def transition(head: Head, sampler: Sampler, condition: Condition, x: Float[Tensor, "k m d"], t: int) -> Gaussian:
    """The distribution of x_{t−1} given x_t."""
    (gaussian,) = transitions(head, sampler, condition, x[None], Moments.of(head, sampler, (t,)))
    return gaussian


@record
class Taken:
    """One transition as it was taken: from where to where, and the distribution it was drawn from."""

    t: int
    state: Float[Tensor, "k m d"]
    next: Float[Tensor, "k m d"]
    gaussian: Gaussian


def chain(
    head: Head, sampler: Sampler, condition: Condition, noise: Float[Tensor, "u k m d"], moments: Moments
) -> Iterator[Taken]:
    """The transitions of k chains for each token from u = T + 1 noises, the first of them x_T.

    `moments` are those of all transitions, as they are taken. Nothing here waits for the device.
    """
    x = noise[0]
    for place, moment in enumerate(moments.each()):
        (t,) = moment.transitions
        (gaussian,) = transitions(head, sampler, condition, x[None], moment)
        after = gaussian.mean + gaussian.std * noise[place + 1] if sampler.draws_noise(t) else gaussian.mean
        yield Taken(t, x, after, gaussian)
        x = after


@torch.no_grad()
def last(
    head: Head, sampler: Sampler, condition: Condition, noise: Float[Tensor, "u k m d"], moments: Moments
) -> Float[Tensor, "k m d"]:
    """The tokens at the end of the chains."""
    x = noise[0]
    for taken in chain(head, sampler, condition, noise, moments):
        x = taken.next
    return x


@torch.no_grad()
def draw(
    head: Head,
    sampler: Sampler,
    condition: Condition,
    noise: Float[Tensor, "u k m d"],
    *,
    keep: Sequence[int],
    drawn: Bool[Tensor, "b n"],
    moments: Moments | None = None,
) -> Chain:
    """k chains for each token; only the transitions in `keep` are kept."""
    x, kept = noise[0], []
    for taken in chain(head, sampler, condition, noise, moments or Moments.all(head, sampler)):
        x = taken.next
        if taken.t in keep:
            kept.append((taken.state, taken.next, taken.gaussian.mean, taken.gaussian.std))
    state, following, mean, std = [torch.stack(column) for column in zip(*kept, strict=True)] or [noise[:0]] * 4
    return Chain(state, following, mean, std, sample=x, drawn=drawn)


def packed(noise: Float[Tensor, "b k u n d"], index: Int[Tensor, "m"]) -> Float[Tensor, "u k m d"]:
    """The noise of the tokens at these places."""
    return rearrange(noise, "b k u n d -> u k (b n) d")[:, :, index]
