import json

import pytest

from margrpo import __version__
from tests.cli.command import QUICKSTART, RANDOM, process, run, setting

STARTS = {
    "help": ["--help"],
    "list": ["components", "list"],
    "show": ["components", "show", "policy.mar"],
    "check": ["recipes", "check", QUICKSTART, *setting(*RANDOM)],
    "schema": ["recipes", "schema"],
    "plan": ["plan", QUICKSTART, *setting(*RANDOM)],
    "refused": ["train", QUICKSTART, "--set", "sampler.step=3"],
}
WATCH = """
import sys
from margrpo.cli import main
sys.argv = ["margrpo", *{words}]
try:
    main()
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""

LOADED = """
import contextlib, io, sys
from margrpo.cli import main
sys.argv = ["margrpo", "--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
print(*sys.modules)
"""


@pytest.mark.parametrize("words", STARTS.values(), ids=STARTS)
def test_what_loads_no_weights_imports_no_torch(words: list[str]) -> None:
    done = process("-c", WATCH.format(words=words))
    assert done.stderr.splitlines()[-1] == "False", done.stderr
    assert done.returncode == (2 if words[0] == "train" else 0)


def test_help_imports_nothing_that_takes_its_time() -> None:
    """Beside torch's absence, which is tested above: what is large, and modules that come by the hundred."""
    loaded = set(process("-c", LOADED).stdout.split())
    assert not loaded & {"torch", "scipy", "PIL", "matplotlib", "sklearn", "fastapi", "diffusers", "huggingface_hub"}
    assert len(loaded) < 1000  # 673 of Python, typer, attrs, numpy and margrpo; each takes about a millisecond


def test_the_module_runs_as_the_command_does() -> None:
    done = process("-m", "margrpo", "--version")
    assert (done.returncode, done.stdout) == (0, f"margrpo {__version__}\n")


def test_help_names_every_command() -> None:
    said = run("--help").output
    assert all(word in said for word in ("train", "pretrain", "sample", "plan", "recipes", "components"))


def test_an_unknown_command_is_refused_with_a_suggestion() -> None:
    done = run("trian")
    assert done.exit_code == 2
    assert "train" in done.output


def test_bash_completes_commands_and_component_ids() -> None:
    def completions(line: str) -> list[str]:
        place = str(len(line.split(" ")) - 1)
        asked = {"_MARGRPO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": place}
        return process("-m", "margrpo", **asked).stdout.split()

    assert completions("margrpo comp") == ["components"]
    assert completions("margrpo components show selector.un") == ["selector.uncertain", "selector.uncommitted"]
    assert completions("margrpo components list --kind obj") == ["objective"]


def test_bash_gets_a_completion_script() -> None:
    done = process("-m", "margrpo", _MARGRPO_COMPLETE="source_bash")
    assert "_MARGRPO_COMPLETE=complete_bash" in done.stdout


def test_the_schema_on_standard_output_is_json() -> None:
    assert json.loads(run("recipes", "schema").stdout)["title"] == "margrpo recipe"
