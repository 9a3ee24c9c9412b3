"""What flows from prompts to the optimizer step.

The axis letters, used in every shape of this library:

    b  images (= prompts x group)      k  trajectories
    n  tokens per image                s  autoregressive (AR) steps
    d  channels of a token             t  diffusion steps (transitions)
    c  width of a condition vector     r  rewards
    m  packed tokens: the (image, token) pairs that are drawn or scored, image-major
    p  positions of the prompt prefix  h, w  pixels

Diffusion steps are numbered as the sampler takes them backwards: t = T - 1 comes first, t = 0 makes the token.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.errors import MargrpoError
from margrpo.lazy import Tensor, torch

Key = tuple[int | str, ...]


@record
class Prompts:
    """What to draw, one entry per image; images of one group share a prompt."""

    text: tuple[str, ...]
    label: Int[Tensor, "b"]
    metadata: tuple[Mapping[str, Any], ...]
    group: Int[Tensor, "b"]
    keys: tuple[Key, ...]

    def __len__(self) -> int:
        return len(self.text)

    def part(self, which: slice) -> "Prompts":
        """A slice of the images."""
        return Prompts(self.text[which], self.label[which], self.metadata[which], self.group[which], self.keys[which])

    def at(self, places: Sequence[int]) -> "Prompts":
        """The images at these places, in this order."""
        index = torch.tensor(places, device=self.label.device)
        return Prompts(
            tuple(self.text[i] for i in places),
            self.label[index],
            tuple(self.metadata[i] for i in places),
            self.group[index],
            tuple(self.keys[i] for i in places),
        )

    @classmethod
    def of_images(cls, parts: "Sequence[Prompts]") -> "Prompts":
        """The images of each part, one after the other."""
        first = {
            name: tuple(itertools.chain(*(getattr(p, name) for p in parts))) for name in ("text", "metadata", "keys")
        }
        return cls(label=torch.cat([p.label for p in parts]), group=torch.cat([p.group for p in parts]), **first)

    def distinct(self) -> "tuple[list[int], Int[Tensor, 'b']]":
        """Places of the first image of each text, and for every image which of them has its text.

        What a reward makes of a text it makes once for a group: `made_of_texts[which]` is then one for each image.
        """
        first = {text: place for place, text in reversed(list(enumerate(self.text)))}
        places = sorted(first.values())
        number = {self.text[place]: position for position, place in enumerate(places)}
        return places, torch.tensor([number[text] for text in self.text], dtype=torch.int64)

    def to(self, device: str) -> "Prompts":
        """The same with its tensors on a device."""
        return Prompts(self.text, self.label.to(device), self.metadata, self.group.to(device), self.keys)


@record
class Prediction:
    """What the head says about x_t: the noise in it, and where the log-variance lies in its learned range.

    `clean` is the token that x_t comes from; it is None where the noise determines it at every level.
    """

    epsilon: Float[Tensor, "*m d"]
    variance: Float[Tensor, "*m d"]
    clean: Float[Tensor, "*m d"] | None = None

    def halves(self) -> "tuple[Prediction, Prediction]":
        """The predictions for the first and the second half of the tokens."""
        parts = [(None, None) if x is None else x.chunk(2, dim=-2) for x in (self.epsilon, self.variance, self.clean)]
        first, second = zip(*parts, strict=True)
        return Prediction(*first), Prediction(*second)

    def along(self, axis: int) -> "list[Prediction]":
        """The predictions along a leading axis."""
        clean = self.clean.unbind(axis) if self.clean is not None else itertools.repeat(None)
        parts = zip(self.epsilon.unbind(axis), self.variance.unbind(axis), clean, strict=False)
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
    def of_images(cls, parts: "Sequence[Chain]") -> "Chain":
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
    earlier: Float[Tensor, "b n d"] | None

    @property
    def remaining(self) -> int:
        """How many tokens of an image are unknown after the step."""
        return int((self.unknown & ~self.committed)[0].sum())

    @classmethod
    def of_images(cls, parts: "Sequence[ARStep]") -> "ARStep":
        """The same AR step of the images of each part."""
        first = parts[0]
        earlier = [part.earlier for part in parts if part.earlier is not None]
        return cls(
            first.index,
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.unknown for part in parts]),
            torch.cat([part.committed for part in parts]),
            first.guidance,
            Chain.of_images([part.chain for part in parts]),
            torch.cat(earlier) if earlier else None,
        )


@record
class Rollout:
    """One batch of images and everything the update needs to replay how they came about.

    `rank` is each token's place in the order of unmasking, in which 0 is committed last.
    """

    prompts: Prompts
    steps: tuple[ARStep, ...]
    diffusion_steps: tuple[int, ...]
    trajectories: Chain | None
    tokens: Float[Tensor, "b n d"]
    images: Float[Tensor, "b 3 h w"]
    rank: Int[Tensor, "b n"]
    key: Key

    @classmethod
    def of_images(cls, parts: "Sequence[Rollout]") -> "Rollout":
        """The images of each part, one after the other, all drawn by one key."""
        first = parts[0]
        if len(parts) == 1:
            return first
        chains = [part.trajectories for part in parts if part.trajectories is not None]
        return cls(
            prompts=Prompts.of_images([part.prompts for part in parts]),
            steps=tuple(ARStep.of_images(each) for each in zip(*(part.steps for part in parts), strict=True)),
            diffusion_steps=first.diffusion_steps,
            trajectories=Chain.of_images(chains) if chains else None,
            tokens=torch.cat([part.tokens for part in parts]),
            images=torch.cat([part.images for part in parts]),
            rank=torch.cat([part.rank for part in parts]),
            key=first.key,
        )


Part = Literal["text", "label", "metadata"]
"""Of a prompt."""
PARTS: tuple[Part, ...] = get_args(Part)


@record
class Traits:
    """What a reward says of itself.

    Its scores lie between `low` and `high`, and are told by the images and by what it `reads` of a prompt, which each
    prompt must have, or by what it `may_read` where a prompt has it. One that is `deterministic` says the same of the
    same. Its networks have so many `parameters`, 0 where it is arithmetic, which is what it costs. One that is
    `elsewhere` is computed by another process, while this one draws the next images.
    """

    low: float = -math.inf
    high: float = math.inf
    reads: tuple[Part, ...] = ()
    may_read: tuple[Part, ...] = ()
    deterministic: bool = True
    parameters: int = 0
    elsewhere: bool = False


@record
class Verdict:
    """What the rewards say of a step: each score, their weighted sum, and the advantage of each image.

    Images that are not `kept` have got no reward and take no part; `notes` say why.
    """

    rewards: Float[Tensor, "b r"]
    total: Float[Tensor, "b"]
    advantages: Float[Tensor, "b"]
    names: tuple[str, ...]
    group: Int[Tensor, "b"]
    kept: Bool[Tensor, "b"]
    notes: tuple[str, ...] = ()


@record
class Sight:
    """What a canary is shown: held-out images now and as they were before training, of the same prompts and noise.

    `drawn` are images that the step was trained on, k for each of g prompts.
    """

    prompts: Prompts
    images: Float[Tensor, "b 3 h w"]
    before: Float[Tensor, "b 3 h w"]
    drawn: Float[Tensor, "g k 3 h w"]


@record
class Evidence:
    """Transitions to score under the current weights: k alternatives for each of m tokens of one AR step.

    `target` is the point whose log-density is taken: the drawn x_{t-1}, or the behaviour mean where the noise of the
    transition has been integrated out. State, target and std are those of q tokens, and `rows` says which of them are
    the m that `where` marks: nothing is copied before a piece of it is scored. `weight` scales a token's share of the
    loss.
    """

    where: Bool[Tensor, "b n"]
    state: Float[Tensor, "t k q d"]
    target: Float[Tensor, "t k q d"]
    std: Float[Tensor, "t k q d"]
    rows: Int[Tensor, "m"]
    weight: float = 1.0

    @classmethod
    def drawn(cls, chain: Chain, where: Bool[Tensor, "b n"], weight: float = 1.0) -> "Evidence":
        """The states that were drawn: the log-density itself."""
        return cls(where, chain.state, chain.next, chain.std, chain.rows(where), weight)

    @classmethod
    def expected(cls, chain: Chain, where: Bool[Tensor, "b n"], weight: float = 1.0) -> "Evidence":
        """The behaviour means: the log-density with the transition's own noise integrated out.

        E[ℓ | x_t] = −Σ_d (μᵇ − μ_θ)²/2σᵇ² + const, which is, up to that constant, the log-density at μᵇ.
        """
        return cls(where, chain.state, chain.mean, chain.std, chain.rows(where), weight)

    @property
    def chains(self) -> int:
        """k."""
        return self.state.shape[1]

    def part(
        self, tokens: Int[Tensor, "m"] | slice = slice(None), transitions: slice = slice(None)
    ) -> tuple[Float[Tensor, "t k m d"], Float[Tensor, "t k m d"], Float[Tensor, "t k m d"]]:
        """State, target and std of some of the marked tokens at some of the transitions."""
        rows = self.rows[tokens]
        return self.state[transitions, :, rows], self.target[transitions, :, rows], self.std[transitions, :, rows]


@record
class Needs:
    """What a rollout must record for a component to work.

    So many `trajectories` of the tokens that are selected, or with `everywhere` of all; `virtual` draws of tokens that
    are not committed, and with `earlier` those of the step before too.
    """

    trajectories: int = 0
    virtual: bool = False
    earlier: bool = False
    everywhere: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(
            max(self.trajectories, other.trajectories),
            self.virtual or other.virtual,
            self.earlier or other.earlier,
            self.everywhere or other.everywhere,
        )
