"""Components from a Python file, without a package: `use = "my_reward.py:sharpness"`."""

import hashlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import attrs

from margrpo.contracts import OnFailure
from margrpo.declare import REQUIRED, component, setting
from margrpo.errors import PluginError
from margrpo.plugin.contract import check_contract
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.loading import described
from margrpo.records import PROMPT_FIELDS, Traits

_LOCAL = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)", re.DOTALL)


def names_file(use: str) -> bool:
    """Whether `use` has the form FILE.py:NAME."""
    return bool(_LOCAL.fullmatch(use))


def short(use: str) -> str:
    """The NAME of FILE.py:NAME; any other name unchanged."""
    match = _LOCAL.fullmatch(use)
    return match["name"] if match else use


def anchored(value: Any, folder: Path) -> Any:
    """The value, with each FILE.py:NAME in it made absolute by the folder of the recipe."""
    if isinstance(value, dict):
        return {key: anchored(each, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [anchored(each, folder) for each in value]
    match = _LOCAL.fullmatch(value) if isinstance(value, str) else None
    return f"{(folder / match['file']).resolve()}:{match['name']}" if match else value


def digests(uses: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each file that is named in `uses`."""
    files = {Path(match["file"]) for use in uses if (match := _LOCAL.fullmatch(use))}
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files) if file.is_file()}


def component_of(entry: Entry, contract: type) -> type:
    """The component class of an entry KIND.FILE.py:NAME, or `PluginError`."""
    match = _LOCAL.fullmatch(entry.target)
    assert match is not None
    found = getattr(module_of(Path(match["file"])), match["name"], None)
    if found is None:
        raise PluginError(f"the file {match['file']} has no {match['name']}; correct what stands after the colon")
    if isinstance(found, FunctionType):
        if entry.kind != "reward":
            raise PluginError(
                f"{match['name']} is a function, and only a reward can be one; write a class with @margrpo.component "
                f"and the methods of the contract of a {entry.kind}"
            )
        found = reward_of(found)
    if not isinstance(found, type) or not attrs.has(found):
        raise PluginError(f"{match['name']} is not a component class; put @margrpo.component above it")
    check_contract(Entry(f"{entry.kind}.{match['name']}", entry.target), found, contract)
    return found


def module_of(file: Path) -> ModuleType:
    """The module of a file, executed once, with its own folder to import from."""
    file = file.resolve()
    name = f"margrpo_file_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if not file.is_file():
        raise PluginError(f"there is no file {file}; a relative path starts at the recipe's folder")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with neighbours(file.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PluginError(f"the file {file} cannot be imported: {described(error)}{place(error, file)}") from error
    return module


class Neighbours:
    """A finder of the modules beside components' files, at any time and after all installed modules.

    The folder of the file that was read last comes first. A folder without an `__init__.py` is not a package here,
    because a folder of figures with the name of a library would pass for the library.
    """

    def __init__(self) -> None:
        self.folders: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The place of a module, for `sys.meta_path`."""
        spec = importlib.machinery.PathFinder.find_spec(name, self.folders) if path is None else None
        return spec if spec is not None and spec.has_location else None


_NEIGHBOURS = Neighbours()


@contextmanager
def neighbours(folder: Path) -> Iterator[None]:
    """Context manager that makes the modules of a folder importable, for good unless its body fails."""
    before = _NEIGHBOURS.folders
    _NEIGHBOURS.folders = [str(folder), *(each for each in before if each != str(folder))]
    if _NEIGHBOURS not in sys.meta_path:
        sys.meta_path.append(_NEIGHBOURS)
    try:
        yield
    except BaseException:
        _NEIGHBOURS.folders = before
        raise


def place(error: BaseException, file: Path) -> str:
    """The line of the file in which an error was raised."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" (line {lines[-1]})" if lines else ""


def reward_of(function: Callable[..., Any]) -> type:
    """A reward that calls `function(images, prompts, **settings)`, whose keyword-only parameters are the settings.

    The function's traits can be declared by an attribute: `function.traits = Traits(low=0, high=1)`.
    """
    described_settings = {name: setting_of(function, each) for name, each in keywords(function).items()}
    name = function.__name__

    def score(self: Any, images: Any, prompts: Any) -> Any:
        return function(images, prompts, **{key: getattr(self, key) for key in described_settings})

    body = {
        "__doc__": inspect.getdoc(function) or f"The function {name}.",
        "__module__": function.__module__,
        "__annotations__": {
            **{key: type_of(function, each) for key, each in keywords(function).items()},
            "weight": float,
            "on_failure": OnFailure | None,
        },
        **described_settings,
        "weight": setting(1.0, "factor of this reward in the sum"),
        "on_failure": setting(None, "policy for failures of the reward; default: the run ends"),
        "traits": traits_of(function),
        "build": lambda self, device: self,
        "score": score,
    }
    return component(type(name, (), body))


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a reward's function, after checking that it takes images and prompts."""
    parameters = inspect.signature(function).parameters.values()
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len(positional) != 2:
        raise PluginError(
            f"{function.__name__} takes {len(positional)} arguments by position, and a reward takes two, images and "
            "prompts; write what else it needs after a *, as its settings"
        )
    return {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY}


def type_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type of a keyword-only parameter; a string is looked up in the function's module."""
    name, said = parameter.name, parameter.annotation
    if said is parameter.empty:
        raise PluginError(f"{function.__name__}: say of which type its setting {name} is, as in x: float")
    try:
        return get_type_hints(SimpleNamespace(__annotations__={name: said}), inspect.unwrap(function).__globals__)[name]
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise PluginError(f"{function.__name__}: the type of its setting {name} is not known: {error}") from None


def traits_of(function: Callable[..., Any]) -> Traits:
    """The function's attribute `traits`, or traits that may read all of a prompt."""
    said = getattr(function, "traits", Traits(may_read=PROMPT_FIELDS))
    if not isinstance(said, Traits):
        raise PluginError(f"{function.__name__}.traits is {said!r}, and must be Traits, as in Traits(low=0, high=1)")
    return said


def setting_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """A keyword-only parameter as a setting."""
    default = REQUIRED if parameter.default is parameter.empty else parameter.default
    return setting(default, f"argument of {function.__name__}")
