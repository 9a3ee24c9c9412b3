"""Validation on held-out prompts before, during and after a run: scores, pictures, drift."""

from dataclasses import replace
from math import isqrt
from time import perf_counter

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Model
from margrpo.pictures import token_maps
from margrpo.pictures.grid import save_grid, save_maps, save_pairs
from margrpo.records import CanaryInputs, Prompts, Rollout
from margrpo.run_folder import RunFolder
from margrpo.train.assemble import Session
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.run.trackers import Trackers
from margrpo.train.watch.canaries import NO_CANARIES, CanaryReport, check_canaries
from margrpo.train.watch.held_out import Validation, drift, half_width, paired_difference, validate
from margrpo.train.watch.token_maps import maps_of

SHOWN = 24
"""Largest number of pictures of before and after."""


class Validator:
    """The validations of a run, shared by all processes; rank 0 writes the pictures into the folder."""

    def __init__(self, session: Session, held_out: Prompts, files: RunFolder, trackers: Trackers):
        self.session, self.files, self.trackers, run = session, files, trackers, session.recipe.run
        held_out = held_out.to(session.pipeline.device)
        self.base_images: Float[Tensor, "b 3 h w"] | None = None
        self.prompts, self.eval_prompts = held_out.part(slice(run.held_out)), held_out.part(slice(run.eval_prompts))

    def before(self) -> Float[Tensor, "b"]:
        """The scores of the untrained policy."""
        seen = self.validate(self.session.pipeline, self.prompts)
        self.show(seen, 0)
        return seen.scores

    def during(self, done: int, drawn: Rollout) -> tuple[dict[str, float], CanaryReport]:
        """The figures of a validation, and the canaries' report; `drawn` are images of the step."""
        clock, seen = perf_counter(), self.validate(self.session.pipeline, self.eval_prompts, self.session.base)
        self.show(seen, done)
        kl = seen.kl
        self.map(done, kl)
        built = self.session.canaries
        canaries = check_canaries(built, self.canary_inputs(seen, drawn)) if built else NO_CANARIES
        figures = {
            "held_out": float(seen.scores.mean()),
            "held_out_ci95": half_width(seen.scores),
            "kl": float(kl.mean()),
            "kl_median": float(kl.median()),
            **canaries.figures,
            "seconds/eval": perf_counter() - clock,
        }
        return figures, canaries

    def canary_inputs(self, seen: Validation, drawn: Rollout) -> CanaryInputs:
        """The inputs of canaries; images of the untrained policy are drawn at the first call."""
        if self.base_images is None:
            self.base_images = self.untrained(self.eval_prompts)
        images = self.session.of_all(drawn.images)
        groups = rearrange(images, "(g k) c h w -> g k c h w", k=self.session.recipe.prompts.group)
        return CanaryInputs(seen.prompts, seen.images, self.base_images, groups)

    def after(self, before: Float[Tensor, "b"]) -> tuple[dict[str, object], float]:
        """The score after training against `before`, and the drift; writes pictures of before and after."""
        session, shown = self.session, slice(min(len(self.eval_prompts), SHOWN))
        seen = self.validate(session.pipeline, self.prompts)
        prompts = self.prompts.part(shown)
        base_images = self.untrained(prompts)
        if session.processes.rank == 0:
            save_pairs(self.files.before_after, base_images, seen.images[shown], prompts.text)
        return paired_difference(before, seen.scores.cpu()), float(self.drift().mean())

    def validate(self, pipeline: Pipeline, prompts: Prompts, base: Model | None = None) -> Validation:
        """Draw and score held-out prompts, with the KL from `base` if there is one."""
        session = self.session
        session.processes.enter("the validation")
        seed = session.recipe.run.seed
        return validate(pipeline, prompts, session.measure, seed, processes=session.processes, base=base)

    def untrained(self, prompts: Prompts) -> Float[Tensor, "b 3 h w"]:
        """The images of `prompts` by the policy before training; unscored, so a resumed run may draw them again."""
        session = self.session
        session.processes.enter("the validation")
        base, seed = replace(session.pipeline, model=session.base), session.recipe.run.seed
        return validate(base, prompts, (), seed, processes=session.processes).images

    def drift(self) -> Float[Tensor, "b n"]:
        """The KL of the policy from the untrained one, for each token of the validation images."""
        session = self.session
        return drift(session.pipeline, session.base, self.eval_prompts, session.recipe.run.seed, session.processes)

    def map(self, step: int, kl: Float[Tensor, "b n"]) -> None:
        """Write the token maps of the first few held-out prompts, as a file and as a picture."""
        session, some = self.session, slice(self.session.recipe.run.maps)
        prompts = self.eval_prompts.part(some)
        if session.processes.rank != 0 or not len(prompts) or isqrt(kl.shape[1]) ** 2 != kl.shape[1]:
            return
        maps, file = maps_of(session, prompts), self.files.map_file(step)
        token_maps.write(file, maps.arrays(kl[some].cpu()), prompts.text)
        picture = self.files.map_picture(step)
        save_maps(picture, token_maps.read(file))
        self.trackers.log_image(step, "token_maps", picture)

    def show(self, seen: Validation, step: int) -> None:
        """Write a grid of the validation images."""
        shown = slice(len(self.eval_prompts))
        if self.session.processes.rank == 0:
            file = self.files.image_grid(step)
            save_grid(file, seen.images[shown], seen.prompts.text[shown])
            self.trackers.log_image(step, "held_out", file)
