"""Where a run keeps what the command line speaks of; the layout is that of `margrpo.train.run.folder`."""

from pathlib import Path

from margrpo.errors import RunError

POLICY = "policy.safetensors"


def final_weights(folder: Path) -> Path:
    """The weights of a finished run."""
    return folder / "final" / POLICY


def newest_checkpoint(folder: Path) -> tuple[int, Path] | None:
    """The step after which the newest complete checkpoint was made, and its folder."""
    found = sorted((folder / "checkpoints").glob("step-??????"))
    return (int(found[-1].name.removeprefix("step-")), found[-1]) if found else None


def newest_weights(folder: Path) -> Path:
    """The final weights, or those of the newest checkpoint, or a `RunError` where there are none."""
    if final_weights(folder).is_file():
        return final_weights(folder)
    newest = newest_checkpoint(folder)
    if newest is None:
        raise RunError(f"{folder}: the run has made no checkpoint yet; give the recipe itself, or --weights FILE")
    return newest[1] / POLICY
