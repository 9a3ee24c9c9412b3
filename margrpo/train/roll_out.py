"""Drawing images AR step by AR step, recording what the update will replay."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Autoencoder, Guidance, Model, Sampler, Unmasking
from margrpo.declare import record
from margrpo.maths import noise
from margrpo.recipe.memory import DRAWN_AT_ONCE
from margrpo.records import ARStep, Chain, Key, Prompts, Rollout
from margrpo.train.chain import Moments, draw, packed
from margrpo.train.condition import Condition, Conditions, conditions, places, settle
from margrpo.train.graphs import Graphs
from margrpo.train.meter import UNMEASURED, Meter


@record
class Pipeline:
    """Everything that turns prompts into images."""

    model: Model
    codec: Autoencoder
    sampler: Sampler
    unmasking: Unmasking
    guidance: Guidance
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    graphs: Graphs | None = None


@record
class Recording:
    """What to keep of a rollout: AR steps, transitions, at which AR steps all unknown tokens are drawn, and K.

    `usable` says of the finished images which tokens can need their K chains; all where it is not given.
    """

    steps: tuple[int, ...] = ()
    transitions: tuple[int, ...] = ()
    virtual: frozenset[int] = frozenset()
    trajectories: int = 0
    usable: Callable[[Rollout], Bool[Tensor, "b n"]] | None = None


NOTHING = Recording()


@torch.no_grad()
def roll_out(
    pipeline: Pipeline,
    prompts: Prompts,
    key: Key,
    recording: Recording = NOTHING,
    *,
    progress: Callable[[int, int], None] | None = None,
    meter: Meter = UNMEASURED,
) -> Rollout:
    """Draw one image for each prompt; every draw is a function of `key`, the prompt's own key and its place.

    `progress` is told, after each AR step, how many have been taken and how many there are. The `meter` is stopped
    after each pass of the "backbone", each draw of the "head", the "codec" and the draw of the "trajectories".
    """
    walk = _Walk(pipeline, prompts, key, recording, meter)
    for index in range(pipeline.unmasking.steps):
        walk.take(index)
        if progress:
            progress(index + 1, pipeline.unmasking.steps)
    rollout = Rollout(
        prompts=prompts,
        steps=tuple(walk.kept),
        diffusion_steps=recording.transitions,
        trajectories=None,
        tokens=walk.tokens,
        images=pipeline.codec.decode(walk.tokens),
        rank=walk.rank,
        key=key,
    )
    meter.stop("codec")
    if not recording.trajectories:
        return rollout
    usable = torch.ones_like(walk.unknown) if recording.usable is None else recording.usable(rollout)
    rollout = replace(rollout, trajectories=walk.resampled(usable))
    meter.stop("trajectories")
    return rollout


class _Walk:
    """One rollout on its way: the tokens so far, and the condition at which each was committed."""

    def __init__(self, pipeline: Pipeline, prompts: Prompts, key: Key, recording: Recording, meter: Meter):
        self.pipeline, self.prompts, self.key, self.recording, self.meter = pipeline, prompts, key, recording, meter
        model, device = pipeline.model, pipeline.device
        shape = (len(prompts), model.tokens, model.channels)
        self.tokens = torch.zeros(shape, device=device)
        self.unknown = torch.ones(shape[:2], dtype=torch.bool, device=device)
        self.counts = pipeline.unmasking.counts(model.tokens)
        self.rank: Int[Tensor, "b n"] = noise.ranks(self.keys("order"), model.tokens).to(device)
        self.kept: list[ARStep] = []
        self.earlier: Float[Tensor, "b n d"] | None = None
        self.settled: Conditions | None = None
        self.moments = Moments.all(model.head, pipeline.sampler)

    def keys(self, *purpose: int | str) -> list[Key]:
        """A key for each image."""
        return [(*self.key, *key, *purpose) for key in self.prompts.keys]

    def noise(
        self, purpose: Sequence[tuple[int | str, ...]], images: slice = slice(None)
    ) -> Float[Tensor, "b k u n d"]:
        """The noises of one chain for each purpose, for all tokens of some images."""
        model, steps = self.pipeline.model, self.pipeline.sampler.steps
        shape = (steps + 1, model.tokens, model.channels)
        keys = [self.keys(*words)[images] for words in purpose]
        return torch.stack([noise.normal(each, shape, self.pipeline.device) for each in keys], dim=1)

    def take(self, index: int) -> None:
        """One AR step: condition, draw, commit, record."""
        pipeline, now, after = self.pipeline, self.counts[index], self.counts[index + 1]
        committed = self.unknown & (self.rank >= after)
        scale = pipeline.guidance.scale(pipeline.model.tokens, after)
        known = conditions(pipeline.model, self.tokens, self.unknown, self.prompts, scale=scale, dtype=pipeline.dtype)
        self.meter.stop("backbone")
        virtual = index in self.recording.virtual
        drawn = self.unknown if virtual else committed
        at = places(drawn, len(self.prompts) * (now if virtual else now - after))
        chain = self.draw(
            known.packed.at(at),
            packed(self.noise([("chain", index)]), at),
            keep=self.recording.transitions if index in self.recording.steps else (),
            drawn=drawn,
        )
        self.meter.stop("head")
        if index in self.recording.steps:
            self.kept.append(ARStep(index, self.tokens, self.unknown, committed, scale, chain, self.earlier))
        predicted = torch.zeros_like(self.tokens).flatten(0, 1).index_copy(0, at, chain.sample[0])
        predicted = predicted.view_as(self.tokens)
        self.earlier = predicted if virtual else None
        self.tokens = torch.where(committed[..., None], predicted, self.tokens)
        self.unknown = self.unknown & ~committed
        if self.recording.trajectories:
            self.settled = settle(self.settled, known, committed)

    def draw(
        self,
        condition: Condition,
        noise: Float[Tensor, "u k m d"],
        *,
        keep: tuple[int, ...],
        drawn: Bool[Tensor, "b n"],
    ) -> Chain:
        """Chains under a condition, by a CUDA graph where there is one for so few tokens."""
        head, sampler, graphs = self.pipeline.model.head, self.pipeline.sampler, self.pipeline.graphs
        if graphs is not None and not keep and graphs.suit(head, sampler, noise):
            sample, nothing = graphs.draw(condition, noise, self.moments), noise[:0]
            return Chain(nothing, nothing, nothing, nothing, sample=sample, drawn=drawn)
        return draw(head, sampler, condition, noise, keep=keep, drawn=drawn, moments=self.moments)

    def resampled(self, usable: Bool[Tensor, "b n"]) -> Chain:
        """K more chains for each usable token, from the condition at which it was committed; a few images at a time."""
        assert self.settled is not None
        images, n = usable.shape
        purpose = [("trajectory", k) for k in range(self.recording.trajectories)]
        size, parts = max(1, DRAWN_AT_ONCE // (n * len(purpose))), []
        for some in (slice(start, start + size) for start in range(0, images, size)):
            at = usable[some].flatten().nonzero()[:, 0]
            condition, keep = self.settled.packed.at(at + some.start * n), self.recording.transitions
            parts.append(self.draw(condition, packed(self.noise(purpose, some), at), keep=keep, drawn=usable[some]))
        return Chain.of_images(parts)
