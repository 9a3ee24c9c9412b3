"""A good recipe and the ways to break it, read from good.toml and broken.toml beside this file."""

import tomllib
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
GOOD = (HERE / "good.toml").read_text(encoding="utf-8")


class Broken(NamedTuple):
    """Every sentence that must come of some `--set`s on the good recipe, or of a whole text in its place."""

    name: str
    sentences: tuple[str, ...]
    sets: tuple[str, ...]
    text: str


def read_broken() -> tuple[Broken, ...]:
    cases = tomllib.loads((HERE / "broken.toml").read_text(encoding="utf-8"))["broken"]
    return tuple(
        Broken(case["name"], tuple(case["says"]), tuple(case.get("set", ())), case.get("text", GOOD)) for case in cases
    )


BROKEN = read_broken()
