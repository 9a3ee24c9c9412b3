"""`margrpo bench`: what the parts of a training step cost on this machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import attrs
import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.components.selector import Random
from margrpo.contracts import Unmasking
from margrpo.declare import record
from margrpo.errors import RunError
from margrpo.evaluate.dense import dense_loss
from margrpo.evaluate.measure import Cost, FlopMeter, cost, matmul_peak
from margrpo.maths import noise
from margrpo.nets.dropout import drops
from margrpo.plan.flops import Work, work
from margrpo.recipe import Recipe
from margrpo.records import Rollout
from margrpo.train.assemble import Session, assemble, recording_of, virtual_steps
from margrpo.train.rollout.condition import Condition
from margrpo.train.rollout.reverse_process import ReverseProcess
from margrpo.train.rollout.roll_out import NOTHING, Recording, roll_out
from margrpo.train.timer import Timer
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats

CHAINS = (1, 2, 4, 8, 16, 32)
"""Numbers of trajectories that `bench head` and `bench scaling` try."""


@record
class Peaks:
    """FLOPs a second of large matrix products: in float32, and in the type of the backbone."""

    head: float
    backbone: float

    @classmethod
    def of(cls, session: Session) -> "Peaks":
        """Measured now."""
        device, dtype = session.pipeline.device, session.pipeline.dtype
        head = matmul_peak(device)
        return cls(head, head if dtype == torch.float32 else matmul_peak(device, dtype))

    def share(self, part: str, seconds: float, flops: float) -> float:
        """The share of the peak that a part reached."""
        peak = self.backbone if part.startswith("backbone") else self.head
        return flops / peak / seconds if seconds else 0.0


@record
class Figures:
    """A cost with the shares of the peak that it reached, on the whole and by part."""

    cost: Cost
    peaks: Peaks

    @property
    def peak_share(self) -> float:
        """Seconds that its products would take at the peak, over the seconds it took."""
        return (
            sum(self.peaks.share(part, *both) * both[0] for part, both in self.cost.parts.items()) / self.cost.seconds
        )

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        parts = {
            name: {"seconds": seconds, "flops": flops, "peak_share": self.peaks.share(name, seconds, flops)}
            for name, (seconds, flops) in self.cost.parts.items()
        }
        return {
            "seconds": self.cost.seconds,
            "flops": self.cost.flops,
            "peak_share": self.peak_share,
            "peak_bytes": self.cost.peak_bytes,
            "parts": parts,
        }


class SubsampledUnmasking:
    """Some AR steps of an unmasking, each with the one before it; what lies between is unmasked at once.

    A trained step so costs what it costs in the recipe, without the rollout's other AR steps.
    """

    def __init__(self, whole: Unmasking, places: tuple[int, ...], tokens: int):
        every = whole.counts(tokens)
        wanted = {0, tokens, *(every[at] for place in places for at in (max(0, place - 1), place, place + 1))}
        self.unknown = tuple(sorted(wanted, reverse=True))
        self.steps = len(self.unknown) - 1
        self.kept = tuple(self.unknown.index(every[place]) for place in places)

    def counts(self, tokens: int) -> tuple[int, ...]:
        """Unknown tokens before each step and after the last."""
        return self.unknown


def excerpt(recipe: Recipe, ar_steps: int) -> SubsampledUnmasking:
    """So many AR steps of the recipe's, evenly spread."""
    steps, tokens = recipe.unmasking.steps, recipe.policy.geometry()[0]
    if ar_steps > steps:
        raise RunError(f"--ar-steps {ar_steps}: the recipe's images take {steps} AR steps; give {steps} or fewer")
    places = tuple(steps * (2 * each + 1) // (2 * ar_steps) for each in range(ar_steps))
    return SubsampledUnmasking(recipe.unmasking, places, tokens)


class Bench:
    """A recipe assembled, with images drawn that the update can be measured on.

    Every image has an advantage, drawn at random: what is measured is the work, not what is learned.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        images: int | None = None,
        ar_steps: int | None = None,
        progress: Callable[[str], None] = lambda sentence: None,
    ):
        self.recipe, self.session, self.progress = recipe, assemble(recipe), progress
        drawn = recipe.prompts.draw(0, recipe.run.seed)
        if images is not None and images > len(drawn):
            raise RunError(
                f"--images {images}: the recipe draws {len(drawn)} images a step; give {len(drawn)} or fewer, or set "
                "more with --set prompts.prompts and prompts.group"
            )
        self.prompts = drawn.part(slice(images)).to(self.session.pipeline.device)
        self.key = (recipe.run.seed, "bench")
        self.pipeline, self.recording = self.session.pipeline, recording_of(self.session, noise.generator(self.key))
        if ar_steps is not None:
            some, needs = excerpt(recipe, ar_steps), self.needs
            self.pipeline = replace(self.pipeline, unmasking=some)
            self.recording = replace(self.recording, steps=some.kept, virtual=virtual_steps(some.kept, needs))
        self.advantages = noise.normal([(*self.key, "advantages")], (len(self.prompts),), self.pipeline.device)[0]

    @property
    def needs(self) -> Any:
        """What a rollout of the recipe records."""
        recipe = self.recipe
        return recipe.selector.needs() | recipe.estimator.needs() | recipe.penalty.needs()

    def drawn(self, **changes: Any) -> Rollout:
        """The images that the update is measured on, with changes of what is recorded."""
        self.progress(f"drawing {len(self.prompts)} images in {self.pipeline.unmasking.steps} AR steps")
        recording, told = replace(self.recording, **changes), self.tell_quarters
        return roll_out(self.pipeline, self.prompts, self.key, recording, progress=told)

    def tell_quarters(self, done: int, steps: int) -> None:
        """Say so at every quarter of a rollout of many AR steps."""
        if steps >= 8 and done * 4 // steps > (done - 1) * 4 // steps:
            self.progress(f"AR step {done} of {steps}")

    def rollout(self, timer: Timer, recording: Recording | None = None) -> Rollout:
        """The images, with what the update needs; without CUDA graphs where operations are counted, which hide them."""
        counting = isinstance(timer, FlopMeter)
        pipeline = replace(self.pipeline, graphs=None) if counting else self.pipeline
        return roll_out(pipeline, self.prompts, self.key, recording or self.recording, timer=timer)

    def update(self, rollout: Rollout, timer: Timer, *, live: int | None = None, **parts: Any) -> UpdateStats:
        """The gradient of the loss, of the first `live` images if not of all, with parts of the method changed.

        The optimizer's step is the same for every method, and left out.
        """
        self.forget()
        stats, method, advantages = UpdateStats(timer), replace(self.session.method, **parts), self.advantages
        if live is not None:
            advantages = torch.where(torch.arange(len(advantages), device=advantages.device) < live, advantages, 0.0)
        backward(self.session.pipeline, method, rollout, advantages, stats)
        return stats

    def dense(self, rollout: Rollout, timer: Timer) -> float:
        """The same gradient the plain way; the value of the loss."""
        self.forget()
        loss = dense_loss(self.session.pipeline, self.session.method, rollout, self.advantages)
        timer.lap("forward")
        loss.backward()
        timer.lap("backward")
        return float(loss.detach())

    def forget(self) -> None:
        """Drop all gradients."""
        for _, value in self.session.parameters:
            value.grad = None

    def gradient(self) -> Float[Tensor, "p"]:
        """The gradient by all trained parameters."""
        parts = [torch.zeros_like(value) if value.grad is None else value.grad for _, value in self.session.parameters]
        return torch.cat([part.flatten().double() for part in parts])

    def timed(self, *works: Callable[[Timer], object], repeats: int) -> list[Figures]:
        """The figures of some works, and of the machine while they were measured."""
        before = Peaks.of(self.session)
        device = self.pipeline.device
        costs = cost(*works, device=device, repeats=repeats, forget=self.forget, progress=self.progress)
        after = Peaks.of(self.session)
        peaks = Peaks(max(before.head, after.head), max(before.backbone, after.backbone))
        return [Figures(each, peaks) for each in costs]


LIMITS = {"loss_relative_error": 1e-4, "gradient_relative_error": 1e-3}
"""How far the update and the plain way may differ in float32; products of fewer digits may 50 times as far."""
ROUGHER = 50


@record
class StepComparison:
    """The update beside the plain way on the same rollout."""

    ours: Figures
    dense: Figures
    loss_relative_error: float
    gradient_relative_error: float
    limits: dict[str, float]

    @property
    def agrees(self) -> bool:
        """Whether both computed the same."""
        return all(getattr(self, name) <= limit for name, limit in self.limits.items())

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {
            "speedup": self.dense.cost.seconds / self.ours.cost.seconds,
            "memory_ratio": self.ours.cost.peak_bytes / self.dense.cost.peak_bytes,
            "loss_relative_error": self.loss_relative_error,
            "gradient_relative_error": self.gradient_relative_error,
            "limits": self.limits,
            "agrees": self.agrees,
            "dense": self.dense.as_dict(),
        }


@record
class Counts:
    """What an update touches, and its FLOPs by formula; None for a policy not ours."""

    images: int
    ar_steps: int
    diffusion_steps: int
    selected_tokens: int
    head_evaluations: int
    flops_by_formula: float | None


def step(bench: Bench, *, repeats: int) -> tuple[Figures, Counts]:
    """The update, and what it counted."""
    rollout = bench.drawn()
    stats = bench.update(rollout, Timer(bench.pipeline.device))
    (figures,) = bench.timed(lambda timer: bench.update(rollout, timer), repeats=repeats)
    return figures, counts(bench, rollout, stats)


def step_against_dense(bench: Bench, *, repeats: int) -> tuple[StepComparison, Counts]:
    """The update and the plain way, on one rollout; how far they agree is measured first."""
    if bench.session.method.replay.uses_dropout and drops(bench.session.model):
        raise RunError(
            "--against dense: this recipe drops out in the replay, and the plain way draws other places; add --set "
            "policy.dropout=0"
        )
    rough = bench.pipeline.dtype != torch.float32 or torch.get_float32_matmul_precision() != "highest"
    limits = {name: limit * (ROUGHER if rough else 1) for name, limit in LIMITS.items()}
    rollout = bench.drawn()
    stats = bench.update(rollout, Timer(bench.pipeline.device))
    ours, loss = bench.gradient(), float(stats.divergence) - float(stats.surrogate)
    plain = bench.dense(rollout, Timer(bench.pipeline.device))
    theirs = bench.gradient()
    errors = (relative(loss - plain, plain), relative(float((ours - theirs).norm()), float(theirs.norm())))
    figures = bench.timed(
        lambda timer: bench.update(rollout, timer), lambda timer: bench.dense(rollout, timer), repeats=repeats
    )
    ours_cost, dense_cost = figures
    return StepComparison(ours_cost, dense_cost, *errors, limits), counts(bench, rollout, stats)


def relative(difference: float, value: float) -> float:
    """|difference / value|, 0 where both are."""
    return abs(difference / value) if value else abs(difference)


def counts(bench: Bench, rollout: Rollout, stats: UpdateStats) -> Counts:
    """Those of one update of a rollout."""
    of, transitions = work(bench.recipe.policy), len(rollout.diffusion_steps)
    return Counts(
        images=len(bench.prompts),
        ar_steps=len(rollout.steps),
        diffusion_steps=transitions,
        selected_tokens=stats.tokens,
        head_evaluations=stats.evaluations,
        flops_by_formula=None if of is None else update_flops(bench, of, rollout, stats),
    )


def update_flops(bench: Bench, of: Work, rollout: Rollout, stats: UpdateStats) -> float:
    """The backbone with its backward pass for every image at an AR step, and the head twice: its weights are frozen."""
    replay, transitions, total = bench.recipe.replay, len(rollout.diffusion_steps), 0.0
    for step, selected in zip(rollout.steps, stats.selected, strict=True):
        halves = 1 if replay.scale(step.guidance) == 1 else 2
        known = (~replay.mask(rollout, step)).sum(1).tolist()
        live = selected.any(1).tolist()
        total += halves * sum(of.trained(each) for each, alive in zip(known, live, strict=True) if alive)
        total += halves * 2 * int(selected.sum()) * transitions * of.modulation
    halves = max(1 if replay.scale(step.guidance) == 1 else 2 for step in rollout.steps)
    return total + halves * 2 * stats.evaluations * of.chain


@record
class Drawn:
    """The cost of a rollout, and the FLOPs that backbone and head need by formula; None for a policy not ours."""

    figures: Figures
    useful: float | None

    @property
    def useful_share(self) -> float | None:
        """FLOPs needed over FLOPs done, by backbone and head."""
        done = sum(flops for part, (_, flops) in self.figures.cost.parts.items() if part != "codec")
        return None if self.useful is None else self.useful / done


def rollout(bench: Bench, *, repeats: int, training: bool) -> Drawn:
    """Images as they are drawn to be looked at, or with `training` as an update needs them."""
    recording, made = bench.recording if training else NOTHING, list[Rollout]()

    def draw(timer: Timer) -> None:
        made[:] = [bench.rollout(timer, recording)]

    (figures,) = bench.timed(draw, repeats=repeats)
    of = work(bench.recipe.policy)
    return Drawn(figures, None if of is None else needed(bench, of, recording, made[0]))


def needed(bench: Bench, of: Work, recording: Recording, made: Rollout) -> float:
    """The FLOPs that a rollout needs: the encoder on known tokens, the head on tokens that are drawn."""
    pipeline, images = bench.pipeline, len(bench.prompts)
    diffusion, total = pipeline.sampler.steps, of.moments(pipeline.sampler.steps)
    everywhere, guided = pipeline.unmasking.counts(of.tokens), False
    for index, (now, after) in enumerate(pairwise(everywhere)):
        halves = 1 if pipeline.guidance.scale(of.tokens, after) == 1 else 2
        drawn, guided = now if index in recording.virtual else now - after, guided or halves == 2
        total += images * halves * (of.backbone(of.tokens - now) + of.head(drawn * diffusion))
    if made.trajectories is not None:
        again = int(made.trajectories.drawn.sum()) * diffusion
        total += (2 if guided else 1) * of.head(again, recording.trajectories)
    return total


def head(bench: Bench, *, repeats: int) -> dict[int, Figures]:
    """The head on all tokens of the images at one transition, forwards and backwards, for each number of chains."""
    session, device = bench.session, bench.pipeline.device
    model, sampler = session.model, session.pipeline.sampler
    count = len(bench.prompts) * model.tokens
    with torch.no_grad():
        width = model.condition(
            torch.zeros(1, model.tokens, model.channels, device=device),
            torch.ones(1, model.tokens, dtype=torch.bool, device=device),
            model.null_prefix(1),
        ).shape[-1]
    z = torch.randn(count, width, device=device)
    process = ReverseProcess.of(model.head, sampler, (sampler.steps - 1,))

    def on(chains: int) -> Callable[[Timer], object]:
        x = torch.randn(1, chains, count, model.channels, device=device)

        def evaluated(timer: Timer) -> None:
            (said,) = process.predictions(Condition.unguided(z.clone().requires_grad_()), x)
            timer.lap("head")
            said.epsilon.sum().backward()
            timer.lap("head's backward")

        return evaluated

    return dict(zip(CHAINS, bench.timed(*map(on, CHAINS), repeats=repeats), strict=True))


@record
class Point:
    """One size in a scaling: what was varied, its value, the cost of the update, and the head's evaluations."""

    varied: str
    value: int
    figures: Figures
    evaluations: int


def scaling(bench: Bench, *, repeats: int) -> Iterator[list[Point]]:
    """The update as one size grows: K chains, n tokens that carry loss, s trained AR steps, B images that do.

    What has been measured comes size by size, as soon as it is known.
    """
    device, method = bench.pipeline.device, bench.session.method
    several = hasattr(method.estimator, "trajectories")
    chains = max(CHAINS) if several else bench.recording.trajectories
    rollout = bench.drawn(trajectories=chains)

    def points(varied: str, values: Sequence[float], variants: Sequence[dict[str, Any]]) -> list[Point]:
        """The update at each value, given as the arguments of `Bench.update`."""
        works = [partial(bench.update, **{"rollout": rollout, **each}) for each in variants]
        tallies = [work(timer=Timer(device)) for work in works]
        values = [stats.tokens for stats in tallies] if varied == "n" else values
        bench.progress(f"{varied} = {', '.join(map(str, values))}")
        figures = bench.timed(*(lambda timer, work=work: work(timer=timer) for work in works), repeats=repeats)
        rows = zip(values, figures, tallies, strict=True)
        return [Point(varied, int(value), each, stats.evaluations) for value, each, stats in rows]

    if several:
        estimator: Any = method.estimator
        yield points("K", CHAINS, [{"estimator": attrs.evolve(estimator, trajectories=k)} for k in CHAINS])
    shares = (0.25, 0.5, 1.0)
    yield points("n", shares, [{"selector": Random(fraction=each, within=method.selector)} for each in shares])
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
