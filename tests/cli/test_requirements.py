"""What a plugin's component misses is said before any command loads weights."""

from pathlib import Path

import pytest

from tests.cli.command import QUICKSTART, run, setting

MODULE = """
from margrpo import MargrpoError, component
from margrpo.components.penalty import NoPenalty
from margrpo.components.sampler import Ddpm
from margrpo.components.selector import Every


def wanting(kind):
    def require(self):
        raise MargrpoError(f"the {kind} misses table.npz; put it beside the recipe")
    return require


@component
class Tabled(Ddpm):
    "A sampler that needs a file."
    require = wanting("sampler")


@component
class Held(NoPenalty):
    "A penalty that needs a file."
    require = wanting("penalty")


@component
class Chosen(Every):
    "A selector that needs a file."
    require = wanting("selector")
"""
TABLES = {
    "sampler": 'sampler={{use="{file}:Tabled"}}',
    "penalty": 'penalty={{use="{file}:Held"}}',
    "selector": 'selector={{use="uncertain", within={{use="{file}:Chosen"}}}}',
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("command", ["train", "sample", "evaluate"])
def test_a_file_that_a_component_misses_is_said_before_weights_are_loaded(
    command: str, kind: str, tmp_path: Path
) -> None:
    file, spoiled, out = tmp_path / "mine.py", tmp_path / "spoiled.safetensors", tmp_path / "out.png"
    file.write_text(MODULE)
    spoiled.write_bytes(b"no weights")
    sets = (f'policy.checkpoint="{spoiled}"', "policy.weights=ema", TABLES[kind].format(file=file))
    done = run(command, QUICKSTART, *setting(*sets), "--out", out)
    assert done.exit_code == 2
    assert done.stderr.rstrip().endswith(f"the {kind} misses table.npz; put it beside the recipe")
    assert not out.exists()
