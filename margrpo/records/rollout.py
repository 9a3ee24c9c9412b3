"""What drawing images leaves behind: predictions, chains, AR steps and the rollout that holds them."""

import itertools
from collections.abc import Sequence

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.errors import MargrpoError
from margrpo.lazy import Tensor, torch
from margrpo.records.prompts import Key, Prompts


@record
class Prediction:
    """What the head says about x_t: the noise in it, and where the log-variance lies in its learned range.

    `x0` is the token that x_t comes from; it is None where the noise determines it at every level.
    """

    epsilon: Float[Tensor, "*m d"]
    variance: Float[Tensor, "*m d"]
    x0: Float[Tensor, "*m d"] | None = None

    def halves(self) -> "tuple[Prediction, Prediction]":
        """The predictions for the first and the second half of the tokens."""
        parts = [(None, None) if x is None else x.chunk(2, dim=-2) for x in (self.epsilon, self.variance, self.x0)]
        first, second = zip(*parts, strict=True)
        return Prediction(*first), Prediction(*second)

    def along(self, axis: int) -> "list[Prediction]":
        """The predictions along a leading axis."""
        x0 = self.x0.unbind(axis) if self.x0 is not None else itertools.repeat(None)
        parts = zip(self.epsilon.unbind(axis), self.variance.unbind(axis), x0, strict=False)
        return [Prediction(*each) for each in parts]


@record
class Gaussian:
    """One reverse transition x_{t-1} | x_t ~ N(mean, std²)."""

    mean: Float[Tensor, "*m d"]
    std: Float[Tensor, "*m d"]


@record
class Chain:
    """The recorded transitions of one or k reverse diffusions of the packed tokens, and the tokens they made."""

    state: Float[Tensor, "t k m d"]
    next: Float[Tensor, "t k m d"]
    mean: Float[Tensor, "t k m d"]
    std: Float[Tensor, "t k m d"]
    sample: Float[Tensor, "k m d"]
    drawn: Bool[Tensor, "b n"]

    def rows(self, where: Bool[Tensor, "b n"]) -> Int[Tensor, "q"]:
        """Indices along m of the tokens marked in `where`; a `MargrpoError` where one of them was not drawn."""
        if (where & ~self.drawn).any():
            raise MargrpoError(
                "a token is asked for whose chain was not recorded; the component that marks it must say what it needs "
                "in needs(), such as Needs(virtual=True) for tokens that are not committed"
            )
        position = self.drawn.flatten().cumsum(0) - 1
        return position[where.flatten()]

    @classmethod
    def concat(cls, parts: "Sequence[Chain]") -> "Chain":
        """The chains of some images after those of others."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: torch.cat([getattr(part, name) for part in parts], dim=-2) for name in vars(parts[0])}
        return cls(**columns)

    def some(self, start: int, count: int) -> "Chain":
        """`count` of the k trajectories, from number `start`."""
        k = slice(start, start + count)
        tensors = (self.state[:, k], self.next[:, k], self.mean[:, k], self.std[:, k])
        return Chain(*tensors, sample=self.sample[k], drawn=self.drawn)

    def transition(self, place: int) -> "Chain":
        """The one recorded transition at this place along t."""
        t = slice(place, place + 1)
        return Chain(self.state[t], self.next[t], self.mean[t], self.std[t], self.sample, self.drawn)


@record
class ARStep:
    """One kept AR step: what the backbone saw, what was committed, and the main chain of every token drawn."""

    index: int
    tokens: Float[Tensor, "b n d"]
    unknown: Bool[Tensor, "b n"]
    committed: Bool[Tensor, "b n"]
    guidance: float
    chain: Chain
    previous: Float[Tensor, "b n d"] | None

    @property
    def remaining(self) -> int:
        """How many tokens of an image are unknown after the step."""
        return int((self.unknown & ~self.committed)[0].sum())

    @classmethod
    def concat(cls, parts: "Sequence[ARStep]") -> "ARStep":
        """The same AR step of the images of each part."""
        first = parts[0]
        previous = [part.previous for part in parts if part.previous is not None]
        return cls(
            first.index,
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.unknown for part in parts]),
            torch.cat([part.committed for part in parts]),
            first.guidance,
            Chain.concat([part.chain for part in parts]),
            torch.cat(previous) if previous else None,
        )


@record
class Rollout:
    """One batch of images and everything the update needs to replay how they came about.

    `order` is each token's place in the order of unmasking, in which 0 is committed last.
    """

    prompts: Prompts
    steps: tuple[ARStep, ...]
    diffusion_steps: tuple[int, ...]
    trajectories: Chain | None
    tokens: Float[Tensor, "b n d"]
    images: Float[Tensor, "b 3 h w"]
    order: Int[Tensor, "b n"]
    key: Key

    @classmethod
    def concat(cls, parts: "Sequence[Rollout]") -> "Rollout":
        """The images of each part, one after the other, all drawn by one key."""
        first = parts[0]
        if len(parts) == 1:
            return first
        chains = [part.trajectories for part in parts if part.trajectories is not None]
        return cls(
            prompts=Prompts.concat([part.prompts for part in parts]),
            steps=tuple(ARStep.concat(each) for each in zip(*(part.steps for part in parts), strict=True)),
            diffusion_steps=first.diffusion_steps,
            trajectories=Chain.concat(chains) if chains else None,
            tokens=torch.cat([part.tokens for part in parts]),
            images=torch.cat([part.images for part in parts]),
            order=torch.cat([part.order for part in parts]),
            key=first.key,
        )
