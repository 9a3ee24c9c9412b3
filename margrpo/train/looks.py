"""The looks at held-out prompts before, during and after a run: scores, pictures, and how far the policy has gone."""

from dataclasses import replace
from math import isqrt
from pathlib import Path
from time import perf_counter

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from margrpo import token_maps
from margrpo.contracts import Model
from margrpo.pictures import save_grid, save_maps, save_pairs
from margrpo.records import Prompts, Rollout, Sight
from margrpo.train.assemble import Session
from margrpo.train.canaries import SILENCE, Song, built, listen
from margrpo.train.held_out import Look, drift, half_width, look, paired_difference
from margrpo.train.maps import maps_of
from margrpo.train.roll_out import Pipeline
from margrpo.train.tracks import Tracks

SHOWN = 24
"""Pictures of before and after, at most."""


class Looks:
    """A run's held-out prompts, looked at by all processes; the first one writes the pictures into the folder."""

    def __init__(self, session: Session, held_out: Prompts, folder: Path, tracks: Tracks):
        self.session, self.folder, self.tracks, run = session, folder, tracks, session.recipe.run
        held_out = held_out.to(session.pipeline.device)
        self.birds = built(session.recipe.canary, session.pipeline.device)
        self.came: Float[Tensor, "b 3 h w"] | None = None
        self.prompts, self.watched = held_out.part(slice(run.held_out)), held_out.part(slice(run.watch))

    def before(self) -> Float[Tensor, "b"]:
        """The scores of the policy as it came."""
        seen = self.look(self.session.pipeline, self.prompts)
        self.show(seen, 0)
        return seen.scores

    def during(self, done: int, drawn: Rollout) -> tuple[dict[str, float], Song]:
        """The figures of a look at the watched prompts, and what the canaries say; `drawn` are images of the step."""
        clock, seen = perf_counter(), self.look(self.session.pipeline, self.watched, self.session.origin)
        self.show(seen, done)
        kl = seen.kl
        self.map(done, kl)
        song = listen(self.birds, self.sight(seen, drawn)) if self.birds else SILENCE
        figures = {
            "held_out": float(seen.scores.mean()),
            "held_out_ci95": half_width(seen.scores),
            "kl": float(kl.mean()),
            "kl_median": float(kl.median()),
            **song.figures,
            "seconds/watch": perf_counter() - clock,
        }
        return figures, song

    def sight(self, seen: Look, drawn: Rollout) -> Sight:
        """What canaries are shown; the images before training are drawn when they are first asked for."""
        if self.came is None:
            origin = replace(self.session.pipeline, model=self.session.origin)
            self.came = self.look(origin, self.watched).images
        images = self.session.of_all(drawn.images)
        groups = rearrange(images, "(g k) c h w -> g k c h w", k=self.session.recipe.prompts.group)
        return Sight(seen.prompts, seen.images, self.came, groups)

    def after(self, before: Float[Tensor, "b"]) -> tuple[dict[str, object], float]:
        """The score against that of before, and the drift; pictures of some prompts by the policy as it came and is."""
        session, shown = self.session, slice(min(len(self.watched), SHOWN))
        seen = self.look(session.pipeline, self.prompts)
        origin = replace(session.pipeline, model=session.origin)
        came, prompts = self.look(origin, self.prompts.part(shown)), self.prompts.part(shown)
        if session.processes.rank == 0:
            save_pairs(self.folder / "before_after.png", came.images, seen.images[shown], prompts.text)
        return paired_difference(before, seen.scores.cpu()), float(self.drift().mean())

    def look(self, pipeline: Pipeline, prompts: Prompts, origin: Model | None = None) -> Look:
        """Draw and measure, with an origin the KL from it too."""
        session = self.session
        session.processes.enter("a look at held-out prompts")
        seed = session.recipe.run.seed
        return look(pipeline, prompts, session.measure, seed, processes=session.processes, origin=origin)

    def drift(self) -> Float[Tensor, "b n"]:
        """The divergence of the policy from what it was, of each token of the watched prompts' images."""
        session = self.session
        return drift(session.pipeline, session.origin, self.watched, session.recipe.run.seed, session.processes)

    def map(self, step: int, kl: Float[Tensor, "b n"]) -> None:
        """The token maps of the first few watched prompts, as a file and as a picture."""
        session, some = self.session, slice(self.session.recipe.run.maps)
        prompts = self.watched.part(some)
        if session.processes.rank != 0 or not len(prompts) or isqrt(kl.shape[1]) ** 2 != kl.shape[1]:
            return
        maps, file = maps_of(session, prompts), token_maps.place(self.folder.parent / token_maps.FOLDER, step)
        token_maps.write(file, maps.arrays(kl[some].cpu()), prompts.text)
        picture = self.folder / f"maps-{step:06d}.png"
        save_maps(picture, token_maps.read(file))
        self.tracks.show(step, "token_maps", picture)

    def show(self, seen: Look, step: int) -> None:
        """A grid of the watched prompts."""
        shown = slice(len(self.watched))
        if self.session.processes.rank == 0:
            file = self.folder / f"step-{step:06d}.png"
            save_grid(file, seen.images[shown], seen.prompts.text[shown])
            self.tracks.show(step, "held_out", file)
