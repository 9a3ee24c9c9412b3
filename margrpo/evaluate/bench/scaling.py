"""The update as one size grows."""

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
    """One size in a scaling: what was varied, its value, the cost of the update, and the head's evaluations."""

    varied: str
    value: int
    figures: Figures
    evaluations: int


class Thinned:
    """A selector that keeps a keyed random share of an image's places, among the tokens that another marks."""

    def __init__(self, whole: Selector, share: float):
        self.whole, self.share = whole, share

    def needs(self) -> Needs:
        """Whatever the other needs."""
        return self.whole.needs()

    def extent(self, tokens: int) -> Extent:
        """The share of the places, among those of the other."""
        share = uncertainty.share(self.share, tokens)
        return self.whole.extent(tokens) & Extent(share / tokens, share / tokens, share)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The marked tokens at places of low rank; the ranks of an image are alike at each AR step."""
        marked = self.whole.select(rollout, step)
        keys = [(*rollout.key, "thinned", *key) for key in rollout.prompts.keys]
        rank = noise.ranks(keys, marked.shape[1], str(marked.device))
        return marked & (rank < uncertainty.share(self.share, marked.shape[1]))


def measure_scaling(bench: Bench, *, repeats: int) -> Iterator[list[ScalingPoint]]:
    """The update as one size grows: K chains, n tokens that carry loss, s trained AR steps, B images that do.

    What has been measured comes size by size, as soon as it is known.
    """
    device, method = bench.pipeline.device, bench.session.method
    estimator = method.estimator
    estimators = {k: estimator.with_chains(k) for k in CHAINS} if isinstance(estimator, VariesChains) else {}
    rollout = bench.drawn(trajectories=max(estimators, default=bench.recording.trajectories))

    def points(varied: str, values: Sequence[float], variants: Sequence[dict[str, Any]]) -> list[ScalingPoint]:
        """The update at each value, given as the arguments of `Bench.update`."""
        works = [partial(bench.update, **{"rollout": rollout, **each}) for each in variants]
        tallies = [work(timer=Timer(device)) for work in works]
        values = [stats.tokens for stats in tallies] if varied == "n" else values
        bench.progress(f"{varied} = {', '.join(map(str, values))}")
        figures = bench.timed(*(lambda timer, work=work: work(timer=timer) for work in works), repeats=repeats)
        rows = zip(values, figures, tallies, strict=True)
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
    """1, 2, 4, … and the most."""
    found, value = [], 1
    while value < most:
        found.append(value)
        value *= 2
    return [*found, most]
