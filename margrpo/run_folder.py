"""The layout of a run folder: the name of every file and folder in it; imports no torch."""

from pathlib import Path

import attrs

from margrpo.errors import RunError

POLICY = "policy.safetensors"
"""The weights of a policy and its codec, in `final/` and in each checkpoint."""
METRICS, LOG = "metrics.jsonl", "log.jsonl"
LOG_OF_BEFORE = "said.jsonl"
"""The log of runs that an earlier margrpo wrote, by which their folders are known."""


@attrs.frozen
class RunFolder:
    """A run folder, whose files and folders need not exist yet; docs/run_folder.md says what is in each."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def versions(self) -> Path:
        """The versions of margrpo, of its libraries and of plugins."""
        return self.path / "versions.json"

    @property
    def metrics(self) -> Path:
        """The figures, a line for each step."""
        return self.path / METRICS

    @property
    def log(self) -> Path:
        """The messages with their times, a line for each."""
        return self.path / LOG

    @property
    def summary(self) -> Path:
        """The result, which only a finished run has."""
        return self.path / "summary.json"

    @property
    def lock(self) -> Path:
        """The lock of the process that runs in the folder."""
        return self.path / ".lock"

    @property
    def report(self) -> Path:
        """The page of `margrpo report`."""
        return self.path / "report.html"

    @property
    def images(self) -> Path:
        """The folder of pictures."""
        return self.path / "images"

    @property
    def before_after(self) -> Path:
        """The pairs of images before and after training."""
        return self.images / "before_after.png"

    @property
    def maps(self) -> Path:
        """The folder of token maps."""
        return self.path / "maps"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def skipped(self) -> Path:
        """The folder of rollouts whose update was skipped."""
        return self.path / "skipped"

    @property
    def final_weights(self) -> Path:
        """The weights after the last step."""
        return self.path / "final" / POLICY

    def refuse_of_before(self) -> None:
        """Raise `RunError` if an earlier margrpo wrote the folder."""
        if (self.path / LOG_OF_BEFORE).exists():
            raise RunError(
                f"{self.path}: was written by an earlier margrpo, whose run folders this one does not read; begin a "
                "new run in another --out, or use the margrpo that wrote it"
            )

    def image_grid(self, step: int) -> Path:
        """The images of held-out prompts after a step."""
        return self.images / f"{step_name(step)}.png"

    def map_picture(self, step: int) -> Path:
        """The token maps after a step, laid over their images."""
        return self.images / f"maps-{step:06d}.png"

    def map_file(self, step: int) -> Path:
        """The token maps after a step, as numbers."""
        return self.maps / f"{step_name(step)}.safetensors"

    def newest_checkpoint(self) -> tuple[int, Path] | None:
        """The step of the newest complete checkpoint, and its folder."""
        found = by_step(self.checkpoints)
        return max(found.items()) if found else None

    def newest_weights(self) -> Path:
        """The final weights, or the newest checkpoint's; `RunError` where the run has neither."""
        if self.final_weights.is_file():
            return self.final_weights
        newest = self.newest_checkpoint()
        if newest is None:
            raise RunError(
                f"{self.path}: the run has made no checkpoint yet; give the recipe itself, or --weights FILE"
            )
        return newest[1] / POLICY


def step_name(step: int) -> str:
    """The name, without its ending, of what was written after a step."""
    return f"step-{step:06d}"


def by_step(folder: Path, ending: str = "") -> dict[int, Path]:
    """The files of a folder by their steps, in ascending order; a name that is not a whole step is left out."""
    files = sorted(folder.glob(f"step-*{ending}")) if folder.is_dir() else []
    named = {file: file.name.removeprefix("step-").removesuffix(ending) for file in files}
    return {int(number): file for file, number in named.items() if number.isdecimal()}
