"""The cost of the rollout, and the needed share of its FLOPs."""

from itertools import pairwise

from margrpo.declare import record
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.figures import Figures
from margrpo.records import PolicyFootprint, Rollout
from margrpo.train.rollout.roll_out import NOTHING, Recording
from margrpo.train.timer import Timer


@record
class RolloutCost:
    """The cost of a rollout, and the FLOPs that backbone and head need by formula."""

    figures: Figures
    useful: int

    @property
    def useful_share(self) -> float:
        """Needed FLOPs divided by counted FLOPs, of backbone and head."""
        done = sum(flops for part, (_, flops) in self.figures.cost.parts.items() if part != "codec")
        return self.useful / done


def measure_rollout(bench: Bench, *, repeats: int, training: bool) -> RolloutCost:
    """Measure the drawing of images alone, or with `training` of images with the record for an update."""
    recording, made = bench.recording if training else NOTHING, list[Rollout]()

    def draw(timer: Timer) -> None:
        made[:] = [bench.rollout(timer, recording)]

    (figures,) = bench.timed(draw, repeats=repeats)
    return RolloutCost(figures, needed(bench, bench.recipe.policy.footprint(), recording, made[0]))


def needed(bench: Bench, of: PolicyFootprint, recording: Recording, made: Rollout) -> int:
    """The FLOPs that a rollout needs: the encoder on known tokens, the head on drawn tokens."""
    pipeline, images, tokens = bench.pipeline, len(bench.prompts), bench.session.model.tokens
    diffusion = pipeline.sampler.steps
    everywhere, guided, total = pipeline.unmasking.counts(tokens), False, diffusion * of.head.times
    for index, (now, after) in enumerate(pairwise(everywhere)):
        halves = 1 if pipeline.guidance.scale(tokens, after) == 1 else 2
        drawn, guided = now if index in recording.virtual else now - after, guided or halves == 2
        total += images * halves * (of.backbone.flops(tokens - now) + drawn * diffusion * of.head.flops.of(1))
    if made.trajectories is not None:
        again = int(made.trajectories.drawn.sum()) * diffusion
        total += (2 if guided else 1) * again * of.head.flops.of(recording.trajectories)
    return total
