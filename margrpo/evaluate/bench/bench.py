"""An assembled recipe whose rollout and update can be repeated and timed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.errors import RunError
from margrpo.evaluate.bench.excerpt import excerpt
from margrpo.evaluate.bench.figures import Figures, Peaks
from margrpo.evaluate.dense import dense_loss
from margrpo.evaluate.measure import FlopMeter, cost
from margrpo.maths import noise
from margrpo.plan.counts import needs_of
from margrpo.recipe import Recipe
from margrpo.records import Rollout
from margrpo.train.assemble import assemble, recording_of, virtual_steps
from margrpo.train.rollout.roll_out import Recording, roll_out
from margrpo.train.timer import Timer
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats


class Bench:
    """An assembled recipe with drawn images, on which the update can be measured.

    Every image has a random advantage, because only the work is measured.
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
            some, needs = excerpt(recipe, ar_steps), needs_of(recipe)
            self.pipeline = replace(self.pipeline, unmasking=some)
            self.recording = replace(self.recording, steps=some.kept, virtual=virtual_steps(some.kept, needs))
        self.advantages = noise.normal([(*self.key, "advantages")], (len(self.prompts),), self.pipeline.device)[0]

    def drawn(self, **changes: Any) -> Rollout:
        """Draw the images that the update is measured on; `changes` replace fields of the recording."""
        self.progress(f"drawing {len(self.prompts)} images in {self.pipeline.unmasking.steps} AR steps")
        recording, told = replace(self.recording, **changes), self.tell_quarters
        return roll_out(self.pipeline, self.prompts, self.key, recording, progress=told)

    def tell_quarters(self, done: int, steps: int) -> None:
        """Report progress at every quarter of a rollout of many AR steps."""
        if steps >= 8 and done * 4 // steps > (done - 1) * 4 // steps:
            self.progress(f"AR step {done} of {steps}")

    def rollout(self, timer: Timer, recording: Recording | None = None) -> Rollout:
        """Draw the images with their record; CUDA graphs are off if operations are counted, because they hide them."""
        counting = isinstance(timer, FlopMeter)
        pipeline = replace(self.pipeline, graphs=None) if counting else self.pipeline
        return roll_out(pipeline, self.prompts, self.key, recording or self.recording, timer=timer)

    def update(self, rollout: Rollout, timer: Timer, *, live: int | None = None, **parts: Any) -> UpdateStats:
        """Compute the gradient of the loss of the first `live` images (None: all), with `parts` of the method changed.

        The optimizer's step is left out, because it is equal for all methods.
        """
        self.forget()
        stats, method, advantages = UpdateStats(timer), replace(self.session.method, **parts), self.advantages
        if live is not None:
            advantages = torch.where(torch.arange(len(advantages), device=advantages.device) < live, advantages, 0.0)
        backward(self.session.pipeline, method, rollout, advantages, stats)
        return stats

    def dense(self, rollout: Rollout, timer: Timer) -> float:
        """Compute the gradient by the dense implementation, and return the loss."""
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
        """The gradient with respect to all trained parameters."""
        parts = [torch.zeros_like(value) if value.grad is None else value.grad for _, value in self.session.parameters]
        return torch.cat([part.flatten().double() for part in parts])

    def timed(self, *works: Callable[[Timer], object], repeats: int) -> list[Figures]:
        """The figures of each of `works`, and of the machine while they were measured."""
        before = Peaks.of(self.session)
        device = self.pipeline.device
        costs = cost(*works, device=device, repeats=repeats, forget=self.forget, progress=self.progress)
        after = Peaks.of(self.session)
        peaks = Peaks(max(before.head, after.head), max(before.backbone, after.backbone))
        return [Figures(each, peaks) for each in costs]
