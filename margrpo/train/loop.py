"""`margrpo train`: the loop around the steps."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import tomlkit
import torch

from margrpo.contracts import Track
from margrpo.nets import weights
from margrpo.pictures import save_grid, save_pairs
from margrpo.recipe import Recipe, unstructure
from margrpo.records import Prompts, Rollout
from margrpo.train import folder as run_folder
from margrpo.train import parity
from margrpo.train.assemble import Session, assemble, measure_of
from margrpo.train.held_out import Look, drift, look, paired_difference
from margrpo.train.step import train_step


def train(
    recipe: Recipe, folder: Path, *, resume: bool = False, stopped: Callable[[], bool] = lambda: False
) -> dict[str, Any] | None:
    """Run the recipe into the folder and return its summary, or None where `stopped` ended it early."""
    held_out, resolved = recipe.prompts.held_out(), unstructure(recipe)
    run_folder.check(folder, resume=resume)
    if resume:
        run_folder.check_same(folder, resolved)
    session = assemble(recipe)
    memory = run_folder.restore(folder, session) if resume else {"step": 0}
    finished = run_folder.summary(folder)
    if finished is not None and finished["steps"] == memory["step"] >= recipe.run.steps:
        return finished
    check_prompts(session, held_out, memory["step"])
    run_folder.make(folder)
    run_folder.write_text(folder / "recipe.toml", tomlkit.dumps(resolved))
    run_folder.write_json(folder / "versions.json", run_folder.versions())
    title = recipe.title or folder.name
    tracks = [tracker.open(folder, title, recipe.run.steps, memory["step"]) for tracker in recipe.tracker]
    try:
        return _Loop(session, held_out, folder, tracks, memory).run(stopped)
    finally:
        for track in tracks:
            track.close()


@torch.no_grad()
def check_prompts(session: Session, held_out: Prompts, start: int) -> None:
    """Let the policy read every prompt that is to come, so that one it cannot express is refused now."""
    source, run = session.recipe.prompts, session.recipe.run
    session.model.prefix(held_out.to(session.pipeline.device))
    for step in range(start, run.steps):
        session.model.prefix(source.draw(step, run.seed).to(session.pipeline.device))


class _Loop:
    """A run on its way: the session, where it writes, and what must outlive a restart."""

    def __init__(self, session: Session, held_out: Prompts, folder: Path, tracks: list[Track], memory: dict[str, Any]):
        self.session, self.folder, self.tracks, self.memory = session, folder, tracks, memory
        self.recipe, self.settings = session.recipe, session.recipe.run
        self.began = perf_counter() - memory.get("seconds", 0.0)
        held_out = held_out.to(session.pipeline.device)
        self.prompts = held_out.part(slice(self.settings.held_out))
        self.watched = held_out.part(slice(self.settings.watch))

    def run(self, stopped: Callable[[], bool]) -> dict[str, Any] | None:
        """Measure, train, measure again."""
        start = self.memory["step"]
        self.say(f"the run's folder: {self.folder}")
        if "before" not in self.memory:
            self.measure_before()
        for step in range(start, self.settings.steps):
            figures = train_step(self.session, step, inspect=self.check_parity if step == start else None)
            done = step + 1
            figures |= self.watch(done) if done % self.settings.watch_every == 0 else {}
            for track in self.tracks:
                track.write(step, figures)
            early = stopped()
            if early or done % self.settings.save_every == 0 or done == self.settings.steps:
                self.save(done)
            if early and done < self.settings.steps:
                return None
        return self.finish()

    def say(self, sentence: str) -> None:
        """Tell whoever watches."""
        for track in self.tracks:
            track.say(sentence)

    def look(self, prompts: Prompts) -> Look:
        """Draw and measure held-out prompts."""
        return look(self.session.pipeline, prompts, measure_of(self.recipe), self.settings.seed)

    def measure_before(self) -> None:
        """The held-out score of the policy as it came, and its pictures."""
        seen = self.look(self.prompts)
        self.memory["before"] = seen.scores.tolist()
        self.say(f"held-out score before: {float(seen.scores.mean()):.3f} on {len(self.prompts)} prompts")
        shown = slice(self.settings.watch)
        save_grid(self.folder / "images" / "step-000000.png", seen.images[shown], self.prompts.text[shown])

    def check_parity(self, rollout: Rollout) -> None:
        """Promise 1, on the first rollout."""
        worst = parity.check(self.session.pipeline, rollout, self.session.method.budget)
        self.say(f"replay parity: log-probabilities agree within {worst:.1e} nats")

    def watch(self, done: int) -> dict[str, float]:
        """A look at a few held-out prompts."""
        clock, seen = perf_counter(), self.look(self.watched)
        save_grid(self.folder / "images" / f"step-{done:06d}.png", seen.images, self.watched.text)
        kl = drift(self.session.pipeline, self.session.origin, self.watched, self.settings.seed)
        return {"held_out": float(seen.scores.mean()), "kl": kl, "seconds/watch": perf_counter() - clock}

    def save(self, done: int) -> None:
        """A checkpoint."""
        self.memory |= {"seconds": perf_counter() - self.began}
        run_folder.save(self.folder, self.session, done, {k: v for k, v in self.memory.items() if k != "step"})

    def finish(self) -> dict[str, Any]:
        """The score after, the final weights, the summary, and images before and after."""
        seen = self.look(self.prompts)
        pipeline = self.session.pipeline
        weights.write(self.folder / "final" / "policy.safetensors", {"policy": pipeline.model, "codec": pipeline.codec})
        summary = {
            "held_out": paired_difference(torch.tensor(self.memory["before"]), seen.scores.cpu()),
            "kl": drift(self.session.pipeline, self.session.origin, self.watched, self.settings.seed),
            "steps": self.settings.steps,
            "seconds": perf_counter() - self.began,
        }
        run_folder.write_json(self.folder / run_folder.SUMMARY, summary)
        self.save_before_and_after(seen)
        return summary

    def save_before_and_after(self, seen: Look) -> None:
        """The same prompts and noise, drawn by the policy as it came and as it is."""
        shown = slice(min(self.settings.watch, 24))
        prompts = self.prompts.part(shown)
        pipeline = self.session.pipeline
        origin = type(pipeline)(**{**vars(pipeline), "model": self.session.origin})
        before = look(origin, prompts, measure_of(self.recipe), self.settings.seed)
        save_pairs(self.folder / "images" / "before_after.png", before.images, seen.images[shown], prompts.text)
