"""The cost and the counts of the update, and its FLOPs by formula."""

from margrpo.declare import record
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.figures import Figures
from margrpo.records import Rollout
from margrpo.train.timer import Timer
from margrpo.train.update.statistics import UpdateStats


@record
class UpdateCounts:
    """The counts of an update, and its FLOPs by formula."""

    images: int
    ar_steps: int
    diffusion_steps: int
    selected_tokens: int
    head_evaluations: int
    flops_by_formula: float


def measure_step(bench: Bench, *, repeats: int) -> tuple[Figures, UpdateCounts]:
    """Measure the update, and count its work."""
    rollout = bench.drawn()
    stats = bench.update(rollout, Timer(bench.pipeline.device))
    (figures,) = bench.timed(lambda timer: bench.update(rollout, timer), repeats=repeats)
    return figures, update_counts(bench, rollout, stats)


def update_counts(bench: Bench, rollout: Rollout, stats: UpdateStats) -> UpdateCounts:
    """The counts of one update of a rollout."""
    return UpdateCounts(
        images=len(bench.prompts),
        ar_steps=len(rollout.steps),
        diffusion_steps=len(rollout.diffusion_steps),
        selected_tokens=stats.tokens,
        head_evaluations=stats.evaluations,
        flops_by_formula=update_flops(bench, rollout, stats),
    )


def update_flops(bench: Bench, rollout: Rollout, stats: UpdateStats) -> float:
    """The backbone with its backward pass for every image at an AR step, and the head twice: its weights are frozen."""
    of, replay = bench.recipe.policy.footprint(), bench.recipe.replay
    transitions, total = len(rollout.diffusion_steps), 0.0
    for step, selected in zip(rollout.steps, stats.selected, strict=True):
        halves = 1 if replay.scale(step.guidance) == 1 else 2
        known = (~replay.mask(rollout, step)).sum(1).tolist()
        live = selected.any(1).tolist()
        total += halves * sum(of.backbone.trained_flops(each) for each, alive in zip(known, live, strict=True) if alive)
        total += halves * 2 * int(selected.sum()) * transitions * of.head.flops.token
    halves = max(1 if replay.scale(step.guidance) == 1 else 2 for step in rollout.steps)
    return total + halves * 2 * stats.evaluations * of.head.flops.chain
