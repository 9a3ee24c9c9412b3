import re
from pathlib import Path

from tests.cli.command import process, run
from tests.plugin.distribution import install, offering

COMMANDS = """
import typer
from margrpo import MargrpoError, hookimpl

@hookimpl
def margrpo_commands(app):
    group = typer.Typer(help="Of mine.")

    @group.command()
    def greet(name: str):
        print("hello", name)

    @group.command()
    def refuse():
        raise MargrpoError("there is nothing to greet; give a name")

    deep = typer.Typer(help="Deeper.")
    deep.callback()(lambda: None)
    deep.command("refuse")(refuse)
    group.add_typer(deep, name="deep")
    app.add_typer(group, name="mine")

    never = typer.Typer(help="Never.")

    @never.callback()
    def refuse_all():
        raise MargrpoError("not today; come back tomorrow")

    never.command("greet")(greet)
    app.add_typer(never, name="never")

    @app.command()
    def fail():
        raise ValueError("boom")
"""
TAKEN = "from margrpo import hookimpl\n@hookimpl\ndef margrpo_commands(app):\n    app.command('train')(print)\n"


def margrpo(folder: Path, *words: str, **environment: str):
    return process("-m", "margrpo", *words, PYTHONPATH=f"{folder}:.", COLUMNS="200", **environment)


def test_without_plugins_it_says_how_to_begin_one() -> None:
    assert "no plugins are installed; `margrpo plugins new NAME` begins one" in run("plugins", "list").stdout


def test_each_plugin_is_listed_with_what_it_brings_and_broken_ones_with_cause_and_cure(tmp_path: Path) -> None:
    install(tmp_path, "good", offering("selector.mine", "selector.ours", "reward.nice"))
    install(tmp_path, "raising", "raise RuntimeError('no luck')\n")
    install(tmp_path, "lacking", "import a_library_of_nobody\n")
    install(tmp_path, "later", "MARGRPO_HOOKS = 2\n" + offering("selector.later"))
    install(tmp_path, "zlashing", offering("reward.nice"))
    done = margrpo(tmp_path, "plugins", "list")
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines == [
        "plugin  distribution  version  brings",
        "good    good          1.0      selector: mine, ours; reward: nice (offered by two plugins, so not used)",
        "failed  lacking of lacking 1.0: ModuleNotFoundError: No module named 'a_library_of_nobody'",
        "        what to do: pip install a_library_of_nobody, or what brings it, or reinstall lacking with all that it "
        "depends on",
        "failed  later of later 1.0: it is too new: it wants version 2 of the hooks, and this margrpo has 1",
        "        what to do: pip install --upgrade margrpo",
        "failed  raising of raising 1.0: RuntimeError: no luck",
        "        what to do: tell its authors; `margrpo plugins check raising` shows where it happened",
        "failed  zlashing of zlashing 1.0: two distributions offer reward.nice: good and zlashing; rename it in one, "
        "or uninstall one",
        "        what to do: pip install --upgrade zlashing, or tell its authors; pip uninstall zlashing is rid of it",
    ]
    shown = margrpo(tmp_path, "components", "show", "selector.mine")
    assert shown.returncode == 0, shown.stderr  # everything else works


def test_safe_mode_leaves_them_all_out(tmp_path: Path) -> None:
    install(tmp_path, "good", offering("selector.mine"))
    done = margrpo(tmp_path, "plugins", "list", MARGRPO_PLUGINS="")
    assert done.stdout == "left out by MARGRPO_PLUGINS: good of good\n"


def test_a_plugin_adds_commands_whose_troubles_are_told_in_sentences(tmp_path: Path) -> None:
    install(tmp_path, "adding", COMMANDS)
    assert "Commands of adding" in margrpo(tmp_path, "--help").stdout
    assert margrpo(tmp_path, "mine", "greet", "you").stdout == "hello you\n"
    refused = margrpo(tmp_path, "mine", "refuse")
    assert (refused.returncode, refused.stderr) == (2, "error: there is nothing to greet; give a name\n")
    assert margrpo(tmp_path, "mine", "deep", "refuse").stderr == refused.stderr
    assert margrpo(tmp_path, "never", "greet", "you").stderr == "error: not today; come back tomorrow\n"
    failed = margrpo(tmp_path, "fail")
    assert failed.returncode == 1
    assert "error: ValueError: boom; this is unexpected" in failed.stderr


def test_a_command_that_is_there_already_is_not_replaced(tmp_path: Path) -> None:
    install(tmp_path, "taking", TAKEN)
    done = margrpo(tmp_path, "plugins", "list")
    assert "taking of taking 1.0: its command 'train' is there already; give it another name" in done.stdout
    assert "Tune a policy" in margrpo(tmp_path, "train", "--help").stdout


BROKEN = '''
import torch
from margrpo import Entry, component, hookimpl
from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.shapes import Shapes

@component
class Odd(Brightness):
    def score(self, images, prompts):
        return super().score(images, prompts) + torch.arange(len(images))

@component
class Asking:
    """It has a setting that must be given."""
    path: str

@hookimpl
def margrpo_components():
    return [Entry("reward.odd", f"{__name__}:Odd", "odd"), Entry("reference.asking", f"{__name__}:Asking", "asks")]
'''


def test_check_holds_each_component_to_its_promises(tmp_path: Path) -> None:
    install(tmp_path, "odd", BROKEN.replace("path: str", "path: str\n    def is_due(self, step): ..."))
    done = margrpo(tmp_path, "plugins", "check", "odd")
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert lines[0].startswith("?    reference.asking  ")
    assert "left out: reference.asking has no default for 'path', so no instance can be made; give one:" in lines[1]
    assert any(line.startswith("fail reward.odd  ") for line in lines)
    for promise in ("says_what_it_is", "imports_no_torch", "reward_does_not_mind_the_batch"):
        assert any(line.startswith(f"        {promise}: ") for line in lines), promise


def test_check_passes_a_sound_plugin(tmp_path: Path) -> None:
    sound = offering("reward.bright", target="margrpo.components.reward.brightness:Brightness")
    install(tmp_path, "sound", sound.replace('")]', '", "how bright it is")]'))
    done = margrpo(tmp_path, "plugins", "check", "sound")
    assert done.returncode == 0, done.stdout
    assert re.match(r"ok   reward\.bright  \d+ kept", done.stdout)


def test_check_shows_where_a_plugin_fails_to_load(tmp_path: Path) -> None:
    install(tmp_path, "raising", "x = 1\nraise RuntimeError('no luck')\n")
    done = margrpo(tmp_path, "plugins", "check", "raising")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == (
        f"        at: {tmp_path}/raising_plugin.py, line 2: raise RuntimeError('no luck')"
    )


def test_check_of_nothing_says_what_there_is() -> None:
    done = run("plugins", "check", "bultin")
    assert done.exit_code == 2
    assert "there is no plugin 'bultin'; did you mean 'builtin'?" in done.stderr
