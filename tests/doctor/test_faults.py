"""Faults that are planted one at a time, each of which is found and said."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
import torch

from margrpo import Entry, hookimpl
from margrpo.components.attention import Sdpa
from margrpo.components.policy.mar import Mar
from margrpo.declare import component
from margrpo.doctor import machine
from margrpo.doctor import recipe as of_recipe
from margrpo.doctor.finding import Check, Finding, worst
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe import load
from tests.cli.command import QUICKSTART


@component
class Dropping(Mar):
    """A policy that leaves its dropout on."""

    def build(self, **parts: Any) -> Any:
        """In training mode."""
        return super().build(**parts).train()


@component
class Crooked(Sdpa):
    """Attention that is a little off."""

    def attention(self, *given: Any, **more: Any) -> Any:
        """Half as much again."""
        return 1.5 * super().attention(*given, **more)


ODD = ModuleType("odd")
ODD.margrpo_components = hookimpl(
    lambda: [
        Entry("attention.crooked", f"{__name__}:Crooked", "off"),
    ]
)


@pytest.fixture(autouse=True)
def odd_components() -> Iterator[None]:
    registry.cache_clear()
    registry().register(ODD, "odd", distribution="margrpo")
    yield
    registry.cache_clear()


def of(*sets: str) -> list[Finding]:
    """What is found of the quickstart with these sets."""
    return checked(lambda: load(Path(QUICKSTART), ["prompts.prompts=2", "prompts.group=2", *sets]))


def checked(read: Callable[[], Any]) -> list[Finding]:
    """What is found of a recipe, up to the first that fails."""
    under_test = of_recipe.RecipeUnderTest(read, Path(QUICKSTART), Path())
    found: list[Finding] = []
    for each in of_recipe.checks(under_test):
        found += each.findings()
        if worst(found) == "fail":
            break
    return found


def test_dropout_in_the_replay_is_found() -> None:
    recipe = load(Path(QUICKSTART), ["prompts.prompts=2", "prompts.group=2", "policy.dropout=0.3"])
    dropping = attrs.evolve(recipe, policy=Dropping(**attrs.asdict(recipe.policy, recurse=False)))
    what, said = failing(checked(lambda: dropping))
    assert what == "its replay"
    assert "dropout is on in rollout and replay, and drops other units each time: put the policy in" in said


def failing(findings: list[Finding]) -> tuple[str, str]:
    """The first that fails: what, and what is said with what to do."""
    found = next(each for each in findings if each.status == "fail")
    return found.what, f"{found.said}; {found.remedy}"


def test_the_quickstart_is_fit() -> None:
    assert worst(of()) == "pass"


NAN = "import torch\ndef nothing(images, prompts):\n    return torch.full((len(images),), float('nan'))\n"
HIGH = (
    "import torch\nfrom margrpo.records import Traits\n"
    "def high(images, prompts):\n    return torch.full((len(images),), 7.0)\nhigh.traits = Traits(low=0.0, high=1.0)\n"
)
FLAT = "import torch\ndef flat(images, prompts):\n    return torch.ones(len(images))\n"


@pytest.mark.parametrize(
    ("sets", "what", "said"),
    [
        (['policy.checkpoint="nowhere.pt"'], "files", 'policy.checkpoint = "nowhere.pt" names no file'),
        ([f'policy.sha256="{"0" * 64}"'], "its prompts", "its SHA-256 is"),
        (["estimator.trajectoris=5"], "recipe", "did you mean 'trajectories'?"),
        (['run.device="cuda"'], "recipe", "torch does not find this device"),
        (['reward=[{use="digits"}]'], "its prompts", "reward digits reads the label of a prompt"),
        (['prompts={use="lines", path="nowhere.txt", prompts=2, group=2}'], "recipe", "nowhere.txt"),
        (["run.keep_last=100000000"], "its disk", "free some space, lower run.keep_last, or choose another --out"),
        (
            ["prompts.group=60000", "run.budget=2000.0"],
            "its memory",
            "lower run.budget, prompts.prompts, prompts.group",
        ),
    ],
)
def test_a_fault_of_the_recipe_is_found(sets: list[str], what: str, said: str) -> None:
    assert torch.cuda.is_available() or said  # the machine without a GPU is the one that lacks it
    found = failing(of(*sets))
    assert found[0] == what
    assert said in found[1]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [(NAN, "nothing", "returned nan for prompt"), (HIGH, "high", "outside"), ("import gone_away\n", "x", "gone_away")],
)
def test_a_fault_of_a_reward_is_found(text: str, name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(text)
    what, words = failing(of(f'reward=[{{use="{tmp_path}/mine.py:{name}"}}]'))
    assert what in ("its rewards", "recipe")
    assert said in words


KINDS_OF_JUDGES = ("its rewards", "its measure", "its canaries")


def test_each_reward_the_measure_and_each_canary_is_looked_at_whatever_the_others_do(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(NAN + HIGH)
    file = tmp_path / "mine.py"
    found = of(
        f'reward=[{{use="{file}:nothing"}}, {{use="{file}:high"}}, {{use="brightness"}}]',
        f'measure={{use="{file}:high"}}',
        f'canary=[{{use="reward", of={{use="{file}:nothing"}}}}, {{use="edges"}}]',
    )
    told = [(each.what, each.status) for each in found if each.what in KINDS_OF_JUDGES]
    rewards = [("its rewards", status) for status in ("fail", "fail", "pass")]
    assert told == [*rewards, ("its measure", "fail"), ("its canaries", "fail"), ("its canaries", "pass")]


def test_a_reward_that_cannot_tell_images_apart_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FLAT)
    (warned,) = [each for each in of(f'reward=[{{use="{tmp_path}/mine.py:flat"}}]') if each.status == "warn"]
    assert warned.said.endswith("and all scores are equal")
    assert "teach nothing" in warned.remedy


def test_a_package_that_a_tracker_lacks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("margrpo.components.tracker.tensorboard.find_spec", lambda name: None)
    what, words = failing(of('tracker=[{use="tensorboard"}]'))
    assert what == "files"
    assert "pip install tensorboard" in words


def of_machine(what: str, place: Path = Path(), among: Registry | None = None) -> list[Finding]:
    """The finding of one check of the machine."""
    (each,) = [one for one in machine.checks(among or registry(), place) if one.what == what]
    return list(each.findings())


def test_a_disk_that_is_nearly_full_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=2**20))
    what, words = failing(of_machine("disk", tmp_path / "runs"))
    assert (what, "0.0 GiB free; free some space" in words) == ("disk", True)


def test_a_place_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (
        "is not a folder that can be written; choose another --out"
        in failing(of_machine("disk", tmp_path / "file" / "x"))[1]
    )


def test_a_broken_plugin_is_found() -> None:
    broken = ModuleType("broken")
    broken.margrpo_components = hookimpl(lambda: 1 / 0)
    among = Registry()
    among.register(broken, "broken", distribution="margrpo-broken")
    what, words = failing(of_machine("plugins", among=among))
    assert what == "plugins"
    assert "margrpo-broken" in words
    assert "ZeroDivisionError" in words


def test_a_kernel_that_computes_something_else_is_found() -> None:
    what, words = failing(of_machine("attention"))
    assert what == "attention"
    assert words.startswith("crooked on ")
    assert "choose another [attention]" in words


def test_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda device: 2**20)
    assert {each.status for each in of_machine("memory")} == {"warn"}


@pytest.mark.parametrize("what", ["versions", "devices", "precision", "memory", "disk", "plugins"])
def test_this_machine_is_well(what: str) -> None:
    assert worst(of_machine(what)) == "pass"


def test_what_nobody_foresaw_is_a_finding_too() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("it", "pass", "so far")
        raise KeyError("x")

    first, last = Check("it", broken).findings()
    assert (first.status, last.status, last.said) == ("pass", "fail", "KeyError: 'x'")
