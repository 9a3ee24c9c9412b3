"""The stated public surface: docs/public_modules.md, and what plugins import."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from margrpo.cli.new_plugin import KINDS, rendered

ROOT = Path(__file__).parents[1]
LISTED = re.findall(
    r"^\| `(margrpo[\w.*]*)` \|", (ROOT / "docs" / "public_modules.md").read_text(encoding="utf-8"), re.MULTILINE
)
SOURCES = {
    **{str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in ROOT.glob("plugins/*/**/*.py")},
    **{
        f"new {kind}: {name}": text
        for kind in KINDS
        for name, text in rendered("margrpo-mine", "mine", kind).items()
        if name.endswith(".py")
    },
}


def expanded(listed: str) -> Iterator[str]:
    """The module of a row, or each module inside a package for a row that ends in `.*`."""
    if not listed.endswith(".*"):
        yield listed
        return
    package = importlib.import_module(listed.removesuffix(".*"))
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield found.name


PUBLIC = [module for listed in LISTED for module in expanded(listed)]


def imports(source: str) -> Iterator[tuple[str, str | None]]:
    """Each module of margrpo that a source imports, with the name that it imports from it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names if each.name.partition(".")[0] == "margrpo")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "margrpo":
            yield from ((node.module or "", each.name) for each in node.names)


def private(module: str, name: str | None) -> bool:
    """Whether an import is of something that no public module exports."""
    if f"{module}.{name}" in PUBLIC:
        return False
    if module not in PUBLIC:
        return True
    return name is not None and name not in exported(module)


def exported(module: str) -> list[str]:
    """What a module says that it exports, else what it defines under a name without an underscore."""
    found = importlib.import_module(module)
    return getattr(found, "__all__", [name for name, value in vars(found).items() if is_own(found, name, value)])


def is_own(module: ModuleType, name: str, value: Any) -> bool:
    """Whether a module defines a public name: a class or function of its own, or a constant."""
    defined = not isinstance(value, type | FunctionType) or value.__module__ == module.__name__
    return defined and not isinstance(value, ModuleType) and not name.startswith("_")


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_exists_and_says_what_it_is(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("file", SOURCES)
def test_a_plugin_imports_only_what_is_public(file: str) -> None:
    assert [found for found in imports(SOURCES[file]) if private(*found)] == []


def test_every_listed_module_but_those_of_a_row_for_many_is_listed_once() -> None:
    assert len(PUBLIC) == len(set(PUBLIC))


@pytest.mark.parametrize(
    "source",
    [
        "import margrpo.train",
        "from margrpo.train.step import train_step",
        "from margrpo import plugin",
        "from margrpo.contracts import Protocol",
        "from margrpo.weights.source import WeightsError",
        "def late():\n    from margrpo.records import _hidden",
    ],
)
def test_an_import_of_anything_else_is_found(source: str) -> None:
    assert any(private(*found) for found in imports(source))
