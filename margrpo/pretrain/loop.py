"""The loop of `margrpo pretrain` around the pre-training loss."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import tomlkit
import torch

from margrpo.pictures.grid import save_grid
from margrpo.pretrain import loss
from margrpo.recipe import Pretraining, unstructure
from margrpo.run_folder import RunFolder
from margrpo.train.assemble import pipeline_of
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.run import durable, occupied
from margrpo.train.run.trackers import Trackers
from margrpo.train.run.versions import versions
from margrpo.train.verdict.scorers import build_rewards
from margrpo.train.watch.held_out import Validation, validate
from margrpo.weights import modules

FITTED_ON = 2048
"""Number of images that a codec is fitted on."""


def run(recipe: Pretraining, folder: Path, *, stopped: Callable[[], bool] = lambda: False) -> dict[str, Any] | None:
    """Pre-train into `folder` and return the summary, or None if `stopped` ended the run; averaged weights are saved.

    Pre-training begins anew when it is started again. An interrupted run leaves its last average in `final/`.
    """
    occupied.check(folder)
    occupied.refuse_run(folder)
    loop = _Loop(recipe)
    files = RunFolder(folder)
    occupied.make(files.images)
    durable.write_text(files.recipe, tomlkit.dumps(unstructure(recipe)))
    durable.write_json(files.versions, versions())
    with ExitStack() as stack:
        return loop.run(files, Trackers.of(recipe, folder, 0, stack), stopped)


class _Loop:
    """The state of a pre-training run."""

    files: RunFolder
    trackers: Trackers

    def __init__(self, recipe: Pretraining):
        self.recipe = recipe
        self.pipeline = pipeline_of(recipe)
        self.measure = build_rewards((recipe.measure,), self.pipeline.device)
        self.model = self.pipeline.model.train()
        self.average = loss.Average(self.model, recipe.run.average)
        self.parameters = list(self.model.parameters())
        self.optimizer = recipe.optimizer.build(self.parameters)
        settings = recipe.run
        self.masking = loss.Masking(settings.masked_mean, settings.masked_std, settings.masked_least)
        self.began = perf_counter()

    def run(self, files: RunFolder, trackers: Trackers, stopped: Callable[[], bool]) -> dict[str, Any] | None:
        """Fit the codec, then train step by step."""
        self.files, self.trackers = files, trackers
        trackers.say(f"the run's folder: {files.path}")
        images, _ = self.recipe.dataset.images(-1 % 2**32, FITTED_ON, self.recipe.run.seed)
        self.pipeline.codec.fit(images.to(self.pipeline.device))
        for step in range(self.recipe.run.steps):
            figures, done = self.step(step), step + 1
            if done % self.recipe.run.eval_every == 0:
                figures |= self.evaluate(done)
            trackers.write(step, figures)
            early = stopped()
            if early or done % self.recipe.run.save_every == 0:
                self.save()
            if early and done < self.recipe.run.steps:
                return None
        return self.finish()

    def step(self, step: int) -> dict[str, float]:
        """Train on one batch, and return its figures."""
        recipe, key, device = self.recipe, (self.recipe.run.seed, "pretrain", step), self.pipeline.device
        images, prompts = recipe.dataset.images(step, recipe.run.batch, recipe.run.seed)
        prompts = prompts.to(device)
        tokens = self.pipeline.codec.encode(images.to(device))
        unknown = loss.hidden(self.masking, len(prompts), self.model.tokens, key).to(device)
        prefix = loss.without_prompt(self.model, prompts, recipe.run.unconditional, key)
        error, bound = loss.loss(self.model, recipe.policy.parameterization, tokens, prefix, unknown, key=key)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.optimizer.rate(step, recipe.run.steps)
        self.optimizer.zero_grad(set_to_none=True)
        (error + bound).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, recipe.optimizer.max_norm)
        self.optimizer.step()
        self.average.update(self.model, step)
        return {"loss": float(error.detach()), "variance_bound": float(bound.detach()), "gradient_norm": float(norm)}

    def validate(self, count: int) -> Validation:
        """Draw and score `count` held-out prompts with the averaged weights."""
        pipeline = Pipeline(**{**vars(self.pipeline), "model": self.average.model})
        prompts = self.recipe.prompts.held_out().part(slice(count)).to(pipeline.device)
        return validate(pipeline, prompts, self.measure, self.recipe.run.seed)

    def evaluate(self, done: int) -> dict[str, float]:
        """Validate, write a grid of the images, and return the score."""
        seen = self.validate(self.recipe.run.eval_prompts)
        file = self.files.image_grid(done)
        save_grid(file, seen.images, seen.prompts.text)
        self.trackers.log_image(done, "held_out", file)
        return {"held_out": float(seen.scores.mean())}

    def save(self) -> None:
        """Save the averaged weights and the codec."""
        modules.write(self.files.final_weights, {"policy": self.average.model, "codec": self.pipeline.codec})

    def finish(self) -> dict[str, Any]:
        """Save the final weights, and return the summary with the score."""
        self.save()
        seen = self.validate(self.recipe.run.held_out)
        summary = {
            "held_out": {"after": float(seen.scores.mean()), "prompts": len(seen.prompts)},
            "steps": self.recipe.run.steps,
            "seconds": perf_counter() - self.began,
        }
        durable.write_json(self.files.summary, summary)
        return summary
