"""A new plugin package, written from the templates of the example plugin."""

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import attrs

from margrpo import __version__
from margrpo.errors import PluginError
from margrpo.plugin.registry import registry
from margrpo.recipe.messages import nearest

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@attrs.frozen
class Template:
    """A component of the example plugin, from which a new component of its kind is written.

    - `name`, `cls`: its module and its class
    - `files`: the templates of its code
    - `examples`, `imports`: Python that a test needs to make an instance, where it needs any
    """

    name: str
    cls: str
    files: tuple[str, ...]
    examples: str = ""
    imports: str = ""


KINDS: Mapping[str, Template] = {
    "policy": Template(
        "bag",
        "Bag",
        ("bag.py", "bag_model.py"),
        "made = small.policy()\n"
        'EXAMPLES = {"policy.NAME": Bag(conditioner=made.conditioner, parameterization=made.parameterization)}\n',
        "from margrpo_example.bag import Bag",
    ),
    "sampler": Template("posterior", "Posterior", ("posterior.py",)),
    "estimator": Template("integrated", "Integrated", ("integrated.py",)),
    "selector": Template("disputed", "Disputed", ("disputed.py",)),
    "reward": Template("colourfulness", "Colourfulness", ("colourfulness.py",)),
}


def write(distribution: str, kind: str, into: Path) -> Path:
    """Write the package into a new folder of its name; the folder, or `PluginError` where it cannot be written."""
    if kind not in KINDS:
        known = f"; {nearest(kind, KINDS)}" if kind not in registry().kinds else f", of {', '.join(KINDS)}"
        raise PluginError(f"there is no template for a {kind!r}{known}")
    if not _NAME.fullmatch(distribution):
        raise PluginError(f"{distribution!r} must be small letters, digits and hyphens, as in margrpo-mine")
    folder = into / distribution
    if folder.exists():
        raise PluginError(f"{folder} exists already; choose another name, or another folder with --in")
    name, package = short(distribution), distribution.replace("-", "_")
    if not name[0].isalpha():
        raise PluginError(f"a component's name begins with a letter, and {name!r} does not; choose another name")
    if find_spec(package) is not None:
        raise PluginError(f"a package {package} is installed already, which a new one would hide; choose another name")
    refuse_taken(kind, name)
    for path, text in rendered(distribution, name, kind).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def refuse_taken(kind: str, name: str) -> None:
    """Raise `PluginError` where a component has the name already."""
    taken = [entry for entry in registry().entries(kind) if entry.name == name]
    if taken:
        owner = registry().distribution(taken[0])
        raise PluginError(f"{kind}.{name} exists already, from {owner}; choose another NAME")


def short(distribution: str) -> str:
    """The name of the component: the distribution's name without margrpo-."""
    return distribution.replace("-", "_").removeprefix("margrpo_") or "mine"


def rendered(distribution: str, name: str, kind: str) -> dict[str, str]:
    """The text of every file of the package, by its path."""
    template, package = KINDS[kind], distribution.replace("-", "_")
    cls = "".join(word.capitalize() for word in name.split("_"))
    texts = {f"{package}/{file.replace(template.name, name)}": text_of(file) for file in template.files}
    texts[f"{package}/__init__.py"] = text_of("init.py")
    texts["tests/conftest.py"] = text_of("conftest.py")
    texts["tests/test_promises.py"] = text_of("test_promises.py")
    texts["pyproject.toml"], texts["README.md"] = text_of("pyproject.toml"), text_of("README.md")
    words = {
        "EXAMPLES_GIVEN": template.examples + "\n\n" if template.examples else "",
        "EXAMPLES_USED": ", examples=EXAMPLES" if template.examples else "",
        "SMALL": ", small" if template.examples else "",
        "IMPORTS\n": template.imports + "\n" if template.imports else "",
        "margrpo-example": distribution,
        "margrpo_example": package,
        "TABLE": f"[[{kind}]]" if registry().kinds[kind].many else f"[{kind}]",
        "KIND": kind,
        "VERSION": __version__.partition("+")[0],
        "NAME": name,
        "CLASS": cls,
        f"{package}.{template.name}": f"{package}.{name}",
    }
    for old, new in words.items():
        texts = {path: text.replace(old, new) for path, text in texts.items()}
    whole = re.compile(rf"\b{template.cls}(?=(Model)?\b)")
    return {path: whole.sub(cls, text) for path, text in texts.items()}


def text_of(file: str) -> str:
    """The text of a template."""
    return (files("margrpo") / "templates" / f"{file}.txt").read_text(encoding="utf-8")
