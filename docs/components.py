"""Rewrite what the code knows best: `python docs/components.py` renews every generated block of these pages.

A block stands between `<!-- generated: WHAT -->` and `<!-- end -->`, where WHAT is one of

    kinds                   a table of all kinds of components
    contract KIND           the Protocol of a kind, with those of what its components build
    components KIND         every built-in component of a kind with its settings
    settings MODULE:CLASS   the settings of a class
    source MODULE:NAME      the source of a function or class
    figures WHEN            the table of the figures that a run writes then
    file PATH               a Python file, by its path in the repository
    exits                   the exit codes of the command line
    command NAME.NAME       what a command is for, its arguments and its options
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs

sys.path.insert(0, str(Path(__file__).parents[1]))

from typer.main import get_command

from margrpo import contracts
from margrpo.cli import app
from margrpo.cli.exits import EXIT_CODES
from margrpo.plugin.registry import Registry
from margrpo.recipe.leaf import inner_types
from margrpo.recipe.messages import shown
from margrpo.recipe.structure import settings_of
from margrpo.train.run.figures import FIGURES

AMONG = Registry()
"""The built-in components only."""
DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generated: (\w+) ?(\S*) -->\n).*?(<!-- end -->)", re.DOTALL)
EXAMPLE = re.compile(r"^Example: (.*)$", re.MULTILINE)
KEY = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
WORDS: Mapping[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "string"}


def kinds(_: str, page: Path) -> Iterator[str]:
    """One row per kind."""
    yield "| kind | what it is | components | default |"
    yield "|---|---|---|---|"
    for kind in AMONG.kinds.values():
        names = ", ".join(f"`{entry.name}`" for entry in AMONG.entries(kind.name))
        yield f"| {linked(kind.name, page)} | {kind.meaning} | {names} | {default_of(kind.default)} |"


def default_of(default: Any) -> str:
    """The `use` of each default table, or a dash where a recipe must name its own."""
    tables = [default] if isinstance(default, Mapping) else default or []
    return ", ".join(f"`{table['use']}`" for table in tables) or "–"


def contract(kind: str, page: Path) -> Iterator[str]:
    """The Protocol of a kind, and those that it says its components build."""
    protocols = [AMONG.kinds[kind].protocol]
    for protocol in protocols:
        named = re.findall(r'"(\w+)"', inspect.getsource(protocol))
        built = [getattr(contracts, name) for name in named if inspect.isclass(getattr(contracts, name, None))]
        protocols += [each for each in built if each not in protocols]
    yield "```python"
    yield "\n\n".join(inspect.getsource(each).removeprefix("@runtime_checkable\n") for each in protocols).rstrip()
    yield "```"


def components(kind: str, page: Path) -> Iterator[str]:
    """A section per component: its docstring and its settings."""
    for entry in AMONG.entries(kind):
        cls = AMONG.load(entry)
        is_default = f"`{entry.name}`" in default_of(AMONG.kinds[kind].default)
        yield f"### {entry.name}\n"
        yield f'`use = "{entry.name}"`' + (", the default\n" if is_default else "\n")
        yield cited(inspect.getdoc(cls) or "", page) + "\n"
        yield from table(cls, page)
        yield ""


def settings(target: str, page: Path) -> Iterator[str]:
    """The table of one class."""
    return table(found(target), page)


def source(target: str, page: Path) -> Iterator[str]:
    """Code as it is."""
    yield "```python"
    yield inspect.getsource(found(target)).rstrip()
    yield "```"


def file(path: str, page: Path) -> Iterator[str]:
    """A file as it is."""
    yield "```python"
    yield (DOCS.parent / path).read_text(encoding="utf-8").rstrip()
    yield "```"


def figures(when: str, page: Path) -> Iterator[str]:
    """A row for each figure that is written then."""
    yield "| figure | unit | what |"
    yield "|---|---|---|"
    for figure in FIGURES:
        if when in figure.when:
            yield f"| `{figure.name}` | {figure.unit} | {figure.meaning} |"


def exits(_: str, page: Path) -> Iterator[str]:
    """A row for each exit code."""
    yield "| exit code | meaning |"
    yield "|---|---|"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code} | {meaning} |"


def command(path: str, page: Path) -> Iterator[str]:
    """The help of a command as Markdown."""
    found_command: Any = get_command(app)
    for name in path.split("."):
        found_command = found_command.commands[name]
    yield EXAMPLE.sub(r"Example: `\1`", inspect.cleandoc(found_command.help)) + "\n"
    yield "| argument or option | what |"
    yield "|---|---|"
    for param in found_command.params:
        is_argument = param.param_type_name == "argument"
        words = [] if is_argument else [param.opts[-1]]
        value = param.metavar or param.name.upper()
        if is_argument:
            value = value + "..." * (param.nargs != 1) if param.required else f"[{value}]"
        words += [] if getattr(param, "is_flag", False) else [value]
        has_default = not (is_argument or param.default is None or param.default is False)
        default = f" Default: `{param.default}`." if has_default else ""
        yield f"| `{' '.join(words)}` | {param.help}{default} |"


def table(cls: type, page: Path) -> Iterator[str]:
    """One row per setting, or a sentence where there is none."""
    fields = settings_of(cls)
    if not fields:
        yield "It has no settings."
        return
    yield "| setting | type | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    for key, field in fields.items():
        check, meaning = field.metadata.get("check"), field.metadata.get("meaning", "")
        allowed = check.says if check else words_of(field.type)
        cells = [f"`{key}`", typed(field.type, page), default_words(field), allowed, meaning]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def typed(annotation: Any, page: Path) -> str:
    """A type as a person would write a value of it in TOML."""
    return " or ".join(one_type(each, page) for each in inner_types(annotation))


def one_type(cls: Any, page: Path) -> str:
    """The words for one type."""
    if kind := AMONG.kinds.of(cls):
        return linked(kind.name, page)
    if get_origin(cls) is tuple:
        inside = get_args(cls)
        return f"array of {typed(inside[0], page)}" + ("" if Ellipsis in inside else f", {len(inside)} items")
    if get_origin(cls) is Literal:
        return WORDS[type(get_args(cls)[0])]
    return WORDS.get(cls, "table" if attrs.has(cls) else str(cls))


def words_of(annotation: Any) -> str:
    """The values that a Literal allows, as TOML."""
    allowed = [shown(each) for cls in inner_types(annotation) if get_origin(cls) is Literal for each in get_args(cls)]
    return f"one of {', '.join(allowed)}" if allowed else ""


def default_words(field: Any) -> str:
    """A setting's default as TOML, or the setting that decides it."""
    by = field.metadata.get("by")
    return f"by `{by}`" if by else written(field.default)


def written(default: Any) -> str:
    """A default as TOML, or what its absence means."""
    if default is attrs.NOTHING:
        return "required"
    if default is None or isinstance(default, attrs.Factory):
        return "–"
    return f"`{shown(default, 60)}`"


def linked(kind: str, page: Path) -> str:
    """A kind's name as a link to its page."""
    return f"[{kind}]({'' if page.parent.name == 'components' else 'components/'}{kind}.md)"


def cited(text: str, page: Path) -> str:
    """Docstring prose with each source key linked to its reference."""
    keys = "|".join(KEY.findall((DOCS / "references.md").read_text(encoding="utf-8")))
    place = "../references.md" if page.parent.name == "components" else "references.md"
    joined = re.sub(r" +\(", " (", text)
    return re.sub(rf"(?<=[( ])({keys})(?=[,;)])", rf"[\1]({place}#\1)", joined)


def found(target: str) -> Any:
    """What `module:Name` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


WRITERS = {
    each.__name__: each for each in (kinds, contract, components, settings, source, file, figures, exits, command)
}


def renewed(page: Path) -> str:
    """The text of a page with every generated block as it should be."""

    def block(match: "re.Match[str]") -> str:
        opening, what, argument, closing = match.groups()
        lines: Sequence[str] = list(WRITERS[what](argument, page))
        return opening + "\n" + "\n".join(lines).strip() + "\n\n" + closing

    return BLOCK.sub(block, page.read_text(encoding="utf-8"))


def pages() -> list[Path]:
    """Every page of the documentation."""
    return sorted(DOCS.rglob("*.md"))


if __name__ == "__main__":
    for path in pages():
        text = renewed(path)
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"renewed {path.relative_to(DOCS)}")
