"""The library keeps every promise that it asks of plugins."""

import atexit
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from margrpo.components.canary import HeldOutReward
from margrpo.components.codec.kl16 import Kl16
from margrpo.components.codec.patch import Patch
from margrpo.components.conditioner import Label
from margrpo.components.prompts.jsonl import Jsonl
from margrpo.components.prompts.lines import Lines
from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.http import Http
from margrpo.components.suite.preference import Preference
from margrpo.components.tracker.wandb import Wandb
from margrpo.testing import every_check, small
from tests.serve.serving import serving


def lines(folder: Path) -> Lines:
    (folder / "prompts.txt").write_text("\n".join(f"prompt {number}" for number in range(12)))
    return Lines(path=str(folder / "prompts.txt"), prompts=2, group=2)


def jsonl(folder: Path) -> Jsonl:
    (folder / "prompts.jsonl").write_text("\n".join(f'{{"text": "prompt {number}"}}' for number in range(12)))
    return Jsonl(path=str(folder / "prompts.jsonl"), prompts=2, group=2)


def preference(folder: Path) -> Preference:
    (folder / "prompts.txt").write_text("a cat\na dog\n")
    return Preference(path=str(folder / "prompts.txt"), reward=(Brightness(),))


@cache
def server() -> str:
    """The address of a server that lives as long as the tests."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serving(Brightness()))


def http(folder: Path) -> Http:
    return Http(servers=(server(),))


EXAMPLES = {
    "policy.mar": small.policy(),
    "conditioner.caption": small.policy().conditioner,
    "conditioner.label": Label(classes=4, prefix=3),
    "codec.patch": Patch(image=4, patch=2, components=3, weights="random"),
    "codec.kl16": Kl16(image=32, weights="random"),
    "prompts.lines": lines,
    "reward.http": http,
    "prompts.jsonl": jsonl,
    "suite.preference": preference,
    "canary.reward": HeldOutReward(of=Brightness()),
    "tracker.wandb": Wandb(mode="offline"),
}


@every_check(plugin="margrpo", examples=EXAMPLES)
def test_every_built_in_component_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
