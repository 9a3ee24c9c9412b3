"""The reverse diffusion of packed tokens under a condition."""

from collections.abc import Iterator, Sequence

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Head, Sampler
from margrpo.declare import record
from margrpo.maths import diffusion
from margrpo.records import Chain, Gaussian, Prediction
from margrpo.train.rollout.condition import Condition


@record
class Transition:
    """A transition that was taken.

    - `t`: its number.
    - `state`, `next`: x_t and x_{t−1}.
    - `gaussian`: the distribution that x_{t−1} was drawn from.
    """

    t: int
    state: Float[Tensor, "k m d"]
    next: Float[Tensor, "k m d"]
    gaussian: Gaussian


@record
class ReverseProcess:
    """The reverse process of a head and a sampler, which turns noise into tokens.

    - `transitions`: numbers t, in the order in which they are taken.
    - `times`: the head's embedding of each transition's time.
    """

    head: Head
    sampler: Sampler
    transitions: tuple[int, ...]
    times: Float[Tensor, "t w"]

    @classmethod
    def of(cls, head: Head, sampler: Sampler, transitions: Sequence[int] | None = None) -> "ReverseProcess":
        """Embed the times of `transitions`; by default of all transitions, in descending order of t.

        The times of all transitions are embedded together, because sums depend on the number of rows.
        """
        chosen = tuple(reversed(range(sampler.steps))) if transitions is None else tuple(transitions)
        every = head.embed_times([sampler.time(t) for t in range(sampler.steps)])
        return cls(head, sampler, chosen, every[list(chosen)])

    def at(self, places: slice) -> "ReverseProcess":
        """The process at the transitions in `places`."""
        return ReverseProcess(self.head, self.sampler, self.transitions[places], self.times[places])

    def predictions(self, condition: Condition, x: Float[Tensor, "t k m d"]) -> list[Prediction]:
        """The head's predictions for x_t at each transition, guided where `condition` is; one pass for all."""
        halves = 1 if condition.null is None else 2
        z = condition.z if condition.null is None else torch.cat([condition.z, condition.null])
        states = torch.cat([x] * halves, dim=-2) if halves > 1 else x
        raw = self.head(rearrange(states, "t k m d -> k t m d"), self.head.prepare(z, self.times))
        outputs, variances = (part.unbind(1) for part in raw)
        found = []
        for state, output, variance, t in zip(states, outputs, variances, self.transitions, strict=True):
            prediction = self.head.meaning((output, variance), state, self.sampler.alpha_bar(t))
            found.append(prediction if halves == 1 else diffusion.guided(*prediction.halves(), condition.scale))
        return found

    def step_gaussians(self, condition: Condition, x: Float[Tensor, "t k m d"]) -> list[Gaussian]:
        """The distribution of x_{t−1} given x_t, at each transition."""
        predictions = zip(x, self.predictions(condition, x), self.transitions, strict=True)
        return [self.sampler.transition(state, prediction, t) for state, prediction, t in predictions]

    def chain(self, condition: Condition, noise: Float[Tensor, "u k m d"]) -> Iterator[Transition]:
        """Take every transition of k chains for each token; `noise` is x_T and then one noise for each transition.

        Nothing here waits for the device.
        """
        x = noise[0]
        for place, t in enumerate(self.transitions):
            (gaussian,) = self.at(slice(place, place + 1)).step_gaussians(condition, x[None])
            drawn = self.sampler.draws_noise(t)
            after = gaussian.mean + gaussian.std * noise[place + 1] if drawn else gaussian.mean
            yield Transition(t, x, after, gaussian)
            x = after

    @torch.no_grad()
    def sample(self, condition: Condition, noise: Float[Tensor, "u k m d"]) -> Float[Tensor, "k m d"]:
        """The tokens at the end of k chains."""
        x = noise[0]
        for taken in self.chain(condition, noise):
            x = taken.next
        return x

    @torch.no_grad()
    def draw(
        self,
        condition: Condition,
        noise: Float[Tensor, "u k m d"],
        *,
        keep: Sequence[int],
        drawn: Bool[Tensor, "b n"],
    ) -> Chain:
        """The record of k chains for each token marked in `drawn`, with the transitions in `keep`."""
        x, kept = noise[0], []
        for taken in self.chain(condition, noise):
            x = taken.next
            if taken.t in keep:
                kept.append((taken.state, taken.next, taken.gaussian.mean, taken.gaussian.std))
        state, following, mean, std = [torch.stack(column) for column in zip(*kept, strict=True)] or [noise[:0]] * 4
        return Chain(state, following, mean, std, sample=x, drawn=drawn)


def step_gaussian(head: Head, sampler: Sampler, condition: Condition, x: Float[Tensor, "k m d"], t: int) -> Gaussian:
    """The distribution of x_{t−1} given x_t at one transition."""
    (gaussian,) = ReverseProcess.of(head, sampler, (t,)).step_gaussians(condition, x[None])
    return gaussian


def packed(noise: Float[Tensor, "b k u n d"], index: Int[Tensor, "m"]) -> Float[Tensor, "u k m d"]:
    """The noise of the tokens at these places among all tokens of all images."""
    return rearrange(noise, "b k u n d -> u k (b n) d")[:, :, index]
