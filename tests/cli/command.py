"""Ways to run the command line: in this process, and in one of its own, where nothing is imported yet."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from margrpo.cli import app

ROOT = Path(__file__).parents[2]
QUICKSTART = str(ROOT / "recipes" / "quickstart.toml")
RANDOM = ("policy.weights=random", "codec.weights=random")
TINY = (*RANDOM, "prompts.prompts=2", "prompts.group=2", "run.steps=2", "run.held_out=4", "run.eval_prompts=4")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="margrpo")


def setting(*sets: str) -> list[str]:
    return [word for each in sets for word in ("--set", each)]


def process(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
