"""Records of the rollout: predictions, transitions, chains, AR steps, and the rollout that holds them."""

import itertools
from collections.abc import Sequence

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.errors import MargrpoError
from margrpo.lazy import Tensor, torch
from margrpo.records.prompts import Key, Prompts


@record
class Prediction:
    """The head's prediction about x_t.

    - `epsilon`: the noise in x_t.
    - `variance`: the place of the log-variance in its learned range, −1 to 1.
    - `x0`: the clean token; None if the noise determines the clean token at every noise level.
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
    """The distribution of a reverse transition: x_{t-1} | x_t ~ N(`mean`, `std`²)."""

    mean: Float[Tensor, "*m d"]
    std: Float[Tensor, "*m d"]


@record
class Chain:
    """The recorded transitions of k reverse diffusions of m packed tokens.

    - `state`: x_t of each recorded transition.
    - `next`: x_{t-1} that was drawn.
    - `mean`, `std`: mean and standard deviation of the transition, under the weights of the rollout.
    - `sample`: the tokens at the end of the k chains.
    - `drawn`: the (image, token) pairs that the m packed tokens belong to.
    """

    state: Float[Tensor, "t k m d"]
    next: Float[Tensor, "t k m d"]
    mean: Float[Tensor, "t k m d"]
    std: Float[Tensor, "t k m d"]
    sample: Float[Tensor, "k m d"]
    drawn: Bool[Tensor, "b n"]

    def rows(self, where: Bool[Tensor, "b n"]) -> Int[Tensor, "q"]:
        """Indices along m of the tokens marked in `where`; a marked token that was not drawn raises `MargrpoError`."""
        if (where & ~self.drawn).any():
            raise MargrpoError(
                "a token is asked for whose chain was not recorded; the component that marks it must say what it needs "
                "in needs(), such as Needs(virtual=True) for tokens that are not committed"
            )
        position = self.drawn.flatten().cumsum(0) - 1
        return position[where.flatten()]

    @classmethod
    def concat(cls, parts: "Sequence[Chain]") -> "Chain":
        """The chains of all `parts`, part by part along m."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: torch.cat([getattr(part, name) for part in parts], dim=-2) for name in vars(parts[0])}
        return cls(**columns)

    def some(self, start: int, count: int) -> "Chain":
        """The chain with `count` of its k trajectories, from number `start`."""
        k = slice(start, start + count)
        tensors = (self.state[:, k], self.next[:, k], self.mean[:, k], self.std[:, k])
        return Chain(*tensors, sample=self.sample[k], drawn=self.drawn)

    def transition(self, place: int) -> "Chain":
        """The chain with only the recorded transition at `place` along t."""
        t = slice(place, place + 1)
        return Chain(self.state[t], self.next[t], self.mean[t], self.std[t], self.sample, self.drawn)


@record
class ARStep:
    """A recorded AR step.

    - `index`: number of the AR step in the rollout, from 0.
    - `tokens`: tokens that the backbone saw.
    - `unknown`: tokens that were unknown before the step.
    - `committed`: tokens that became known in the step.
    - `guidance`: scale of guidance.
    - `chain`: main chain of every drawn token.
    - `previous`: draws of the AR step before; None if no component needs them.
    """

    index: int
    tokens: Float[Tensor, "b n d"]
    unknown: Bool[Tensor, "b n"]
    committed: Bool[Tensor, "b n"]
    guidance: float
    chain: Chain
    previous: Float[Tensor, "b n d"] | None

    @property
    def remaining(self) -> int:
        """The number of tokens of an image that are unknown after the step."""
        return int((self.unknown & ~self.committed)[0].sum())

    @classmethod
    def concat(cls, parts: "Sequence[ARStep]") -> "ARStep":
        """An AR step of the images of all `parts`, part by part."""
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
    """A batch of images, and the records that the update replays.

    - `prompts`: prompt of each image.
    - `steps`: recorded AR steps.
    - `diffusion_steps`: recorded transitions, in the order in which they were taken.
    - `trajectories`: k chains of each committed token; None if no component needs them.
    - `tokens`, `images`: the finished tokens and images.
    - `order`: place of each token in the order of unmasking; 0 is committed last.
    - `key`: key of the rollout's noise.
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
        """The rollout of the images of all `parts`, part by part; all parts were drawn with one key."""
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
