import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from typer.main import get_command

from margrpo import Kind, hookimpl
from margrpo.cli import app
from margrpo.errors import MargrpoError
from margrpo.plugin.registry import Registry
from margrpo.recipe import load
from margrpo.recipe.read import merge, read
from margrpo.recipe.structure import structure
from tests.cli.command import run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
KINDS = Registry().kinds
PAGES = sorted(DOCS.rglob("*.md"))
NAMED = re.compile(r"`(margrpo(?:\.\w+)+)`")
SOURCE = re.compile(r"(?<=\S)   \((\w+)(?:[,;] [^)]*)?\)")
ANCHOR = re.compile(r"^\| `(\w+)` \|.*\{#(\w+)\}", re.MULTILINE)
"""A docstring's source stands in parentheses after three spaces."""


def script(name: str = "components") -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{Path(name).stem}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_generated_blocks_are_what_the_code_says(page: Path) -> None:
    assert script().renewed(page) == text_of(page), "run: python docs/components.py"


@pytest.mark.parametrize("machine", ["cpu", "gpu"])
def test_the_tables_of_performance_are_what_was_measured(machine: str) -> None:
    text = text_of(DOCS / "performance.md")
    assert script("experiments/performance").renewed(text, machine) == text, "run: docs/experiments/performance.py"


def test_every_kind_has_its_page_and_no_page_is_left_over() -> None:
    assert {page.stem for page in (DOCS / "components").glob("*.md")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_is_on_the_page_of_its_kind_with_its_contract(kind: str) -> None:
    text = text_of(DOCS / "components" / f"{kind}.md")
    assert f"<!-- generated: contract {kind} -->" in text
    for entry in Registry().entries(kind):
        assert f"\n### {entry.name}\n" in text


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_has_its_section(command: str) -> None:
    text = text_of(DOCS / "commands.md")
    assert f"\n## {command}\n" in text
    assert f"<!-- generated: command {command.replace(' ', '.')} -->" in text


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(linked(nav)) == [name_of(page) for page in PAGES]


def linked(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav if isinstance(nav, list) else nav.values():
            yield from linked(each)


def test_every_source_that_a_docstring_names_has_an_anchor() -> None:
    anchors = dict(ANCHOR.findall(text_of(DOCS / "references.md")))
    assert all(key == anchor for key, anchor in anchors.items())
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "margrpo").rglob("*.py"))
    cited = set(SOURCE.findall(code))
    assert {"cfg", "ddpm", "mar_grpo"} <= cited
    assert cited <= set(anchors)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_of_the_code_is_defined_there(page: Path) -> None:
    for dotted in NAMED.findall(text_of(page)):
        assert home_of(dotted) == dotted


@pytest.mark.parametrize(
    ("dotted", "home"),
    [
        ("margrpo.train.rollout.roll_out.settle", "margrpo.train.rollout.condition.settle"),  # only imported there
        ("margrpo.train.rollout.roll_out.gone", "nowhere"),
        ("margrpo.train.gone.settle", "nowhere"),
        ("margrpo.records.Rollout", "margrpo.records.Rollout"),  # a package is the page of contents of its modules
        ("margrpo.train.watch.parity.TOLERANCE", "margrpo.train.watch.parity.TOLERANCE"),
        ("margrpo.components.sampler.Ddpm.transition", "margrpo.components.sampler.Ddpm.transition"),
    ],
)
def test_a_name_is_looked_for_where_it_is_defined(dotted: str, home: str) -> None:
    assert home_of(dotted) == home


def home_of(dotted: str) -> str:
    """The path of what a dotted name means: its module's own, or one that a package passes on; else "nowhere"."""
    module, names = module_of(dotted)
    found: Any = module
    for name in names:
        if not hasattr(found, name):
            return "nowhere"
        found = getattr(found, name)
    defined = getattr(found, "__module__", None) if names else None
    is_passed_on = hasattr(module, "__path__") and str(defined).startswith(f"{module.__name__}.")
    if defined is None or is_passed_on:
        return dotted
    return f"{defined}.{found.__qualname__}"


def module_of(dotted: str) -> tuple[ModuleType, list[str]]:
    """The longest beginning of a dotted name that is a module, and the rest."""
    words = dotted.split(".")
    for count in range(len(words), 0, -1):
        try:
            return importlib.import_module(".".join(words[:count])), words[count:]
        except ModuleNotFoundError:
            continue
    raise AssertionError(f"{dotted} begins with no module")


def tables() -> Iterator[Any]:
    for page in PAGES:
        for number, text in enumerate(re.findall(r"```toml\n(.*?)```", text_of(page), re.DOTALL)):
            yield pytest.param(text, id=f"{name_of(page)}-{number}")


@pytest.mark.parametrize("text", list(tables()))
def test_every_recipe_that_is_shown_is_sound(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "plugins" / "margrpo-example"))
    shown = tomllib.loads(text)
    if "project" in shown:
        return
    among = Registry()
    among.register(importlib.import_module("margrpo_example"), "example")
    base = "shapes_base.toml" if "dataset" in shown else "quickstart.toml"
    shown.pop("extends", None)
    structure(merge(read(ROOT / "recipes" / base), shown), among=among)


def test_the_errors_on_the_page_of_recipes_are_those_that_come() -> None:
    sets = ["run.steps=2.5", "policy.heads=7", "sampler.stepz=3", "reward.0.strictness=3"]
    sets += ["estimator.use=multi_trajectroy", 'optimizer.lr="fast"']
    with pytest.raises(MargrpoError) as caught:
        load(ROOT / "recipes" / "quickstart.toml", sets)
    assert str(caught.value).replace(f"{ROOT}/", "") in text_of(DOCS / "recipes.md")


CALL = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S* )*(margrpo [a-z].*)$", re.MULTILINE)


def shown_commands() -> Iterator[Any]:
    """Every line of a page that calls margrpo, with the lines that it goes on in, and whether an error follows it."""
    for page in [*PAGES, ROOT / "README.md"]:
        for block in re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            _, *called = CALL.split(block.replace("\\\n", " "))
            for line, answer in zip(called[::2], called[1::2], strict=True):
                yield pytest.param(line, "error:" in answer, id=f"{page.stem}-{line[:60]}")


@pytest.mark.parametrize(("line", "refused"), list(shown_commands()))
def test_every_command_that_is_shown_is_understood(line: str, refused: bool) -> None:
    command: Any = get_command(app)
    _, *words = shlex.split(re.split(r" (?:>|\||&&) ", line)[0], comments=True)
    path = ["margrpo"]
    while hasattr(command, "commands"):
        if words[0] not in command.commands and words[0] in OF_PLUGINS:
            return
        command = command.commands[words[0]]
        path.append(words.pop(0))
    command.make_context(" ".join(path), words)


CHEAP = ("components list", "components show", "plan", "plugins list", "recipes check", "recipes show", "rewards list")
"""Commands that only look."""


@pytest.mark.parametrize(
    ("line", "refused"), [each for each in shown_commands() if each.values[0][8:].startswith(CHEAP)]
)
def test_a_shown_command_that_only_looks_does_what_it_says(
    line: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = run(*shlex.split(re.split(r" (?:>|\||&&) ", line)[0], comments=True)[1:])
    assert done.exit_code == (2 if refused else 0), done.output


OF_PLUGINS = ("geneval",)
"""Commands that packages in plugins/ bring."""


PLACE = re.compile(r"`((?:margrpo|tests|docs|recipes|plugins)/[\w./-]+)`")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    for place in PLACE.findall(text_of(page)):
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_answers_help(command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.exit_code == 0, done.output
    assert "Usage: margrpo " + command in " ".join(done.stdout.split())


def handwritten() -> Iterator[Any]:
    """The Python on the pages that is not made from files."""
    for page in PAGES:
        text = re.sub(r"<!-- generated:.*?<!-- end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for place, block in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)):
            yield pytest.param(block, id=f"{name_of(page)}-{place}")


@pytest.mark.parametrize("block", list(handwritten()))
def test_python_that_is_shown_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "plugins" / "margrpo-example"))
    disputed = importlib.import_module("margrpo_example.disputed")
    given = {"hookimpl": hookimpl, "Kind": Kind, "Detector": object, "Disputed": disputed.Disputed}
    exec(compile(block, "page", "exec"), given)
