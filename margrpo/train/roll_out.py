"""Drawing images AR step by AR step, recording what the update will replay."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Autoencoder, Guidance, Model, Sampler, Unmasking
from margrpo.declare import record
from margrpo.maths import noise
from margrpo.records import ARStep, Chain, Key, Prompts, Rollout
from margrpo.train.chain import Condition, draw, packed


@record
class Pipeline:
    """Everything that turns prompts into images."""

    model: Model
    codec: Autoencoder
    sampler: Sampler
    unmasking: Unmasking
    guidance: Guidance
    device: str = "cpu"


@record
class Recording:
    """What to keep of a rollout: AR steps, transitions, at which AR steps all unknown tokens are drawn, and K."""

    steps: tuple[int, ...] = ()
    transitions: tuple[int, ...] = ()
    virtual: frozenset[int] = frozenset()
    trajectories: int = 0


NOTHING = Recording()


@record
class Conditions:
    """The condition of every token of the images of one AR step."""

    z: Float[Tensor, "b n c"]
    null: Float[Tensor, "b n c"] | None
    scale: Float[Tensor, "b n 1"] | float

    def of(self, where: Bool[Tensor, "b n"]) -> Condition:
        """The condition of the marked tokens, packed."""
        scale = self.scale[where] if isinstance(self.scale, Tensor) else self.scale
        return Condition(self.z[where], None if self.null is None else self.null[where], scale)


def conditions(
    model: Model, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prompts: Prompts, *, scale: float
) -> Conditions:
    """One backbone pass; with guidance, both halves in one batch."""
    prefix, images = model.prefix(prompts), len(prompts)
    if scale == 1:
        return Conditions(model.condition(tokens, unknown, prefix), None, 1.0)
    both = torch.cat([prefix, model.null_prefix(images)])
    z, null = model.condition(tokens.repeat(2, 1, 1), unknown.repeat(2, 1), both).chunk(2)
    return Conditions(z, null, scale)


@torch.no_grad()
def roll_out(
    pipeline: Pipeline,
    prompts: Prompts,
    key: Key,
    recording: Recording = NOTHING,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Rollout:
    """Draw one image for each prompt; every draw is a function of `key`, the prompt's own key and its place.

    `progress` is told, after each AR step, how many have been taken and how many there are.
    """
    walk = _Walk(pipeline, prompts, key, recording)
    for index in range(pipeline.unmasking.steps):
        walk.take(index)
        if progress:
            progress(index + 1, pipeline.unmasking.steps)
    images = pipeline.codec.decode(walk.tokens)
    return Rollout(
        prompts=prompts,
        steps=tuple(walk.kept),
        diffusion_steps=recording.transitions,
        trajectories=walk.resampled(),
        tokens=walk.tokens,
        images=images,
        rank=walk.rank,
        key=key,
    )


def settle(settled: Conditions | None, known: Conditions, committed: Bool[Tensor, "b n"]) -> Conditions:
    """z*: the condition at which each token was committed, with the guidance of that step.

    Where only some steps are guided, z serves as the null half of the others, because ε + 1·(ε − ε) is ε; where none
    is, there is no null half to pay for.
    """
    before, where = settled or known, committed[..., None]
    z = torch.where(where, known.z, before.z)
    if known.null is None and before.null is None:
        return Conditions(z, None, 1.0)
    null = torch.where(where, null_half(known), null_half(before))
    now, then = (torch.as_tensor(one.scale, dtype=z.dtype, device=z.device) for one in (known, before))
    return Conditions(z, null, torch.where(where, now, then))


def null_half(one: Conditions) -> Float[Tensor, "b n c"]:
    """The null half, or z where a step had no guidance."""
    return one.z if one.null is None else one.null


class _Walk:
    """One rollout on its way: the tokens so far, and the condition at which each was committed."""

    def __init__(self, pipeline: Pipeline, prompts: Prompts, key: Key, recording: Recording):
        self.pipeline, self.prompts, self.key, self.recording = pipeline, prompts, key, recording
        model, device = pipeline.model, pipeline.device
        shape = (len(prompts), model.tokens, model.channels)
        self.tokens = torch.zeros(shape, device=device)
        self.unknown = torch.ones(shape[:2], dtype=torch.bool, device=device)
        self.counts = pipeline.unmasking.counts(model.tokens)
        self.rank: Int[Tensor, "b n"] = noise.ranks(self.keys("order"), model.tokens).to(device)
        self.kept: list[ARStep] = []
        self.earlier: Float[Tensor, "b n d"] | None = None
        self.settled: Conditions | None = None

    def keys(self, *purpose: int | str) -> list[Key]:
        """A key for each image."""
        return [(*self.key, *key, *purpose) for key in self.prompts.keys]

    def noise(self, purpose: Sequence[tuple[int | str, ...]]) -> Float[Tensor, "b k u n d"]:
        """The noises of one chain for each purpose, for all tokens of all images."""
        model, steps = self.pipeline.model, self.pipeline.sampler.steps
        shape = (steps + 1, model.tokens, model.channels)
        return torch.stack([noise.normal(self.keys(*words), shape, self.pipeline.device) for words in purpose], dim=1)

    def take(self, index: int) -> None:
        """One AR step: condition, draw, commit, record."""
        pipeline, after = self.pipeline, self.counts[index + 1]
        committed = self.unknown & (self.rank >= after)
        scale = pipeline.guidance.scale(pipeline.model.tokens, after)
        known = conditions(pipeline.model, self.tokens, self.unknown, self.prompts, scale=scale)
        drawn = self.unknown if index in self.recording.virtual else committed
        chain = draw(
            pipeline.model.head,
            pipeline.sampler,
            known.of(drawn),
            packed(self.noise([("chain", index)]), drawn),
            keep=self.recording.transitions if index in self.recording.steps else (),
            drawn=drawn,
        )
        if index in self.recording.steps:
            self.kept.append(ARStep(index, self.tokens, self.unknown, committed, scale, chain, self.earlier))
        predicted = torch.zeros_like(self.tokens).masked_scatter(drawn[..., None], chain.sample[0])
        self.earlier = predicted if index in self.recording.virtual else None
        self.tokens = torch.where(committed[..., None], predicted, self.tokens)
        self.unknown = self.unknown & ~committed
        if self.recording.trajectories:
            self.settled = settle(self.settled, known, committed)

    def resampled(self) -> Chain | None:
        """K more chains for every token, from the condition at which it was committed."""
        if self.settled is None:
            return None
        pipeline, everything = self.pipeline, torch.ones_like(self.unknown)
        return draw(
            pipeline.model.head,
            pipeline.sampler,
            self.settled.of(everything),
            packed(self.noise([("trajectory", k) for k in range(self.recording.trajectories)]), everything),
            keep=self.recording.transitions,
            drawn=everything,
        )
