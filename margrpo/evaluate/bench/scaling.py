"""The cost of the update as one size grows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from margrpo.contracts import Selector, VariesChains
from margrpo.declare import record
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.figures import Figures
from margrpo.evaluate.bench.head import CHAINS
from margrpo.maths import noise, uncertainty
from margrpo.records import ARStep, Extent, Needs, Rollout
from margrpo.train.timer import Timer


@record
class ScalingPoint:
    """A point of a scaling: the varied size, its value, the cost of the update, and the head's evaluations."""

    varied: str
    value: int
    figures: Figures
    evaluations: int


class Thinned:
    """A selector of a keyed random share of an image's places, among the tokens of another selector."""

    def __init__(self, whole: Selector, share: float):
        self.whole, self.share = whole, share

    def needs(self) -> Needs:
        """The needs of the other selector."""
        return self.whole.needs()

    def extent(self, tokens: int) -> Extent:
        """The share of the other selector's extent."""
        share = uncertainty.share(self.share, tokens)
        return self.whole.extent(tokens) & Extent(share / tokens, share / tokens, share)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The tokens of `whole` at a random share of places; an image keeps its places at all AR steps."""
        marked = self.whole.select(rollout, step)
        keys = [(*rollout.key, "thinned", *key) for key in rollout.prompts.keys]
        position = noise.ranks(keys, marked.shape[1], str(marked.device))
        return marked & (position < uncertainty.share(self.share, marked.shape[1]))


def measure_scaling(bench: Bench, *, repeats: int) -> Iterator[list[ScalingPoint]]:
    """Measure the update as one size grows: K chains, n tokens with loss, s trained AR steps, B images with loss.

    The points of a size are yielded as soon as they are measured.
    """
    device, method = bench.pipeline.device, bench.session.method
    estimator = method.estimator
    estimators = {k: estimator.with_chains(k) for k in CHAINS} if isinstance(estimator, VariesChains) else {}
    rollout = bench.drawn(trajectories=max(estimators, default=bench.recording.trajectories))

    def points(varied: str, values: Sequence[float], variants: Sequence[dict[str, Any]]) -> list[ScalingPoint]:
        """Measure the update at each value, given as arguments of `Bench.update`."""
        works = [partial(bench.update, **{"rollout": rollout, **each}) for each in variants]
        work_stats = [work(timer=Timer(device)) for work in works]
        values = [stats.tokens for stats in work_stats] if varied == "n" else values
        bench.progress(f"{varied} = {', '.join(map(str, values))}")
        figures = bench.timed(*(lambda timer, work=work: work(timer=timer) for work in works), repeats=repeats)
        rows = zip(values, figures, work_stats, strict=True)
        return [ScalingPoint(varied, int(value), each, stats.evaluations) for value, each, stats in rows]

    if estimators:
        yield points("K", CHAINS, [{"estimator": each} for each in estimators.values()])
    shares = (0.25, 0.5, 1.0)
    yield points("n", shares, [{"selector": Thinned(method.selector, each)} for each in shares])
    steps, images = doubling(len(rollout.steps)), doubling(len(bench.prompts))
    if len(steps) > 1:
        yield points("s", steps, [{"rollout": replace(rollout, steps=rollout.steps[:count])} for count in steps])
    if len(images) > 1:
        yield points("B", images, [{"live": count} for count in images])


def doubling(most: int) -> list[int]:
    """The numbers 1, 2, 4, … below `most`, and `most`."""
    found, value = [], 1
    while value < most:
        found.append(value)
        value *= 2
    return [*found, most]
