"""Drawing images AR step by AR step, recording what the update will replay."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Autoencoder, Guidance, Model, Sampler, Unmasking
from margrpo.declare import record
from margrpo.maths import noise
from margrpo.plan.memory import DRAWN_AT_ONCE
from margrpo.records import ARStep, Chain, Key, Prompts, Rollout
from margrpo.train.rollout.condition import Condition, PromptPrefix, conditions, places, settle
from margrpo.train.rollout.cuda_graphs import Graphs
from margrpo.train.rollout.reverse_process import ReverseProcess, packed
from margrpo.train.timer import NO_TIMER, Timer


@record
class Pipeline:
    """The parts that turn prompts into images."""

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
    """The parts of a rollout to record.

    - `steps`: AR steps.
    - `transitions`: transitions of each chain.
    - `virtual`: AR steps at which all unknown tokens are drawn, not only the committed ones.
    - `trajectories`: K, the number of chains to draw again for each token.
    - `usable`: given the finished rollout, the tokens that need K chains; None is all tokens.
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
    timer: Timer = NO_TIMER,
) -> Rollout:
    """Draw one image for each prompt; every draw is a function of `key`, the prompt's own key and its place.

    `progress` is called after each AR step with the number of steps done and the number of all steps. The `timer` ends
    a lap after each pass of the "backbone", each draw of the "head", the "codec" and the draw of the "trajectories".
    """
    walk = _Walk(pipeline, prompts, key, recording, timer)
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
        order=walk.order,
        key=key,
    )
    timer.lap("codec")
    if not recording.trajectories:
        return rollout
    usable = torch.ones_like(walk.unknown) if recording.usable is None else recording.usable(rollout)
    rollout = replace(rollout, trajectories=walk.resampled(usable))
    timer.lap("trajectories")
    return rollout


class _Walk:
    """A rollout in progress: the tokens so far, and the condition at which each was committed."""

    def __init__(self, pipeline: Pipeline, prompts: Prompts, key: Key, recording: Recording, timer: Timer):
        self.pipeline, self.prompts, self.key, self.recording, self.timer = pipeline, prompts, key, recording, timer
        model, device = pipeline.model, pipeline.device
        shape = (len(prompts), model.tokens, model.channels)
        self.tokens = torch.zeros(shape, device=device)
        self.unknown = torch.ones(shape[:2], dtype=torch.bool, device=device)
        self.counts = pipeline.unmasking.counts(model.tokens)
        self.scales = [pipeline.guidance.scale(model.tokens, after) for after in self.counts[1:]]
        guided = any(scale != 1 for scale in self.scales)
        self.prefix = PromptPrefix.of_distinct(model, prompts, guided=guided, dtype=pipeline.dtype)
        self.order: Int[Tensor, "b n"] = noise.ranks(self.keys("order"), model.tokens).to(device)
        self.kept: list[ARStep] = []
        self.previous: Float[Tensor, "b n d"] | None = None
        self.settled: Condition | None = None
        self.process = ReverseProcess.of(model.head, pipeline.sampler)

    def keys(self, *purpose: int | str) -> list[Key]:
        """A key per image for a `purpose`."""
        return [(*self.key, *key, *purpose) for key in self.prompts.keys]

    def noise(
        self, purpose: Sequence[tuple[int | str, ...]], images: slice = slice(None)
    ) -> Float[Tensor, "b k u n d"]:
        """The noises of one chain per purpose, for all tokens of `images`."""
        model, steps = self.pipeline.model, self.pipeline.sampler.steps
        shape = (steps + 1, model.tokens, model.channels)
        keys = [self.keys(*words)[images] for words in purpose]
        return torch.stack([noise.normal(each, shape, self.pipeline.device) for each in keys], dim=1)

    def take(self, index: int) -> None:
        """Take an AR step: condition, draw, commit, record."""
        pipeline, now, after, images = self.pipeline, self.counts[index], self.counts[index + 1], len(self.prompts)
        committed = self.unknown & (self.order >= after)
        scale = self.scales[index]
        known = conditions(
            pipeline.model, self.tokens, self.unknown, self.prefix, scales=[scale] * images, dtype=pipeline.dtype
        )
        self.timer.lap("backbone")
        virtual = index in self.recording.virtual
        drawn = self.unknown if virtual else committed
        at = places(drawn, images * (now if virtual else now - after))
        keep = self.recording.transitions if index in self.recording.steps else ()
        chain = self.draw(known.packed.at(at), packed(self.noise([("chain", index)]), at), keep=keep, drawn=drawn)
        self.timer.lap("head")
        if index in self.recording.steps:
            self.kept.append(ARStep(index, self.tokens, self.unknown, committed, scale, chain, self.previous))
        predicted = torch.zeros_like(self.tokens).flatten(0, 1).index_copy(0, at, chain.sample[0])
        predicted = predicted.view_as(self.tokens)
        self.previous = predicted if virtual else None
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
        """Draw chains under a condition, by a CUDA graph if there is one for their number of tokens."""
        graphs = self.pipeline.graphs
        if graphs is not None and not keep and graphs.suit(self.process, noise):
            sample, nothing = graphs.sample(self.process, condition, noise), noise[:0]
            return Chain(nothing, nothing, nothing, nothing, sample=sample, drawn=drawn)
        return self.process.draw(condition, noise, keep=keep, drawn=drawn)

    def resampled(self, usable: Bool[Tensor, "b n"]) -> Chain:
        """Draw K chains for each usable token, from the condition at which it was committed; a few images at a time."""
        assert self.settled is not None
        images, n = usable.shape
        purpose = [("trajectory", k) for k in range(self.recording.trajectories)]
        size, parts = max(1, DRAWN_AT_ONCE // (n * len(purpose))), []
        for some in (slice(start, start + size) for start in range(0, images, size)):
            at = usable[some].flatten().nonzero()[:, 0]
            condition, keep = self.settled.packed.at(at + some.start * n), self.recording.transitions
            parts.append(self.draw(condition, packed(self.noise(purpose, some), at), keep=keep, drawn=usable[some]))
        return Chain.concat(parts)
