"""Promises of components of every kind."""

import functools
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import attrs
import numpy as np
import torch
from jaxtyping import AbstractArray, TypeCheckError, jaxtyped

from margrpo import lazy
from margrpo.errors import MargrpoError, RecipeError
from margrpo.plugin.loading import described
from margrpo.recipe.requirements import requirements
from margrpo.recipe.structure import settings_of
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.tables import back, table_of
from margrpo.testing.conformance.work import KEEPS_DTYPE, done


def says_what_it_is(subject: Subject) -> None:
    """The class has a docstring, and its entry a summary of one line."""
    claim((subject.cls.__doc__ or "").strip(), f"{subject.cls.__name__} has no docstring; say in a line what it is")
    summary = subject.entry.summary
    claim(summary and "\n" not in summary, f"the Entry of {subject.entry.id} needs a summary of one line")


def settings_have_meanings(subject: Subject) -> None:
    """Every setting has a meaning."""
    bare = [key for key, field in settings_of(subject.cls).items() if not field.metadata.get("meaning")]
    claim(not bare, f"settings without a meaning: {', '.join(bare)}; declare them by margrpo.setting(default, meaning)")


def is_frozen(subject: Subject) -> None:
    """Settings cannot be changed after their checks."""
    try:
        subject.component.no_such_setting_ = 1
    except attrs.exceptions.FrozenInstanceError:
        return
    claim(False, "its settings can be changed; put @margrpo.component above the class, which freezes it")


def survives_toml(subject: Subject) -> None:
    """A component that is written to TOML and read again is equal."""
    again = back(subject, table_of(subject))
    claim(again == subject.component, f"written as TOML and read again it is {again}, not {subject.component}")


def refuses_an_unknown_key(subject: Subject) -> None:
    """A typo in the component's table is refused by name."""
    try:
        back(subject, {**table_of(subject), "no_such_setting_": 1})
    except RecipeError as error:
        claim("no_such_setting_" in str(error), f"an unknown key is refused without its name: {error}")
        return
    claim(False, "an unknown key in its table is taken")


def imports_no_torch(subject: Subject) -> None:
    """The component's module can be imported without torch, so that checks of recipes take well under a second."""
    guilty = guilty_of_torch(tuple(sorted({module_of(entry.target) for entry in its_own(subject)})))
    module = module_of(subject.entry.target)
    claim(
        module not in guilty,
        f"importing {module} imports {guilty.get(module)}; write `from margrpo.lazy import Tensor, torch`, and import "
        "heavy packages inside methods",
    )


def gives_the_same_again(subject: Subject) -> None:
    """Equal settings and arguments give equal results, to the last bit."""
    if subject.entry.kind == "reward" and not subject.component.traits.deterministic:
        not_applicable("its traits say that it is not deterministic")
    claim(same(done(subject), done(subject)), "called twice with the same arguments it gives different results")


def leaves_global_rng_alone(subject: Subject) -> None:
    """The component neither reads nor changes global random generators."""
    before, found = states(), done(subject)
    claim(same(before, states()), "it draws from a global generator; draw with margrpo.maths.noise from a key")
    if subject.entry.kind == "reward" and not subject.component.traits.deterministic:
        return
    torch.rand(1), random.random(), np.random.random()
    claim(same(found, done(subject)), "its result depends on a global generator; draw from a key")


def keeps_precision(subject: Subject) -> None:
    """Results have the precision of the arguments, or of the given images and weights."""
    if subject.entry.kind in KEEPS_DTYPE:
        wrong = {x.dtype for x in tensors(done(subject, dtype=torch.float64))} - {torch.float64}
        claim(not wrong, f"from float64 it makes {', '.join(map(str, wrong))}")
    wrong = {x.dtype for x in tensors(done(subject))} - {torch.float32}
    claim(not wrong, f"from float32 it makes {', '.join(map(str, wrong))}")


def keeps_device(subject: Subject) -> None:
    """Results are on the device of the arguments."""
    other = "cuda" if torch.cuda.is_available() else "meta"
    if other == "meta" and subject.entry.kind not in WITHOUT_VALUES:
        not_applicable("there is no second device here")
    moved = attrs.evolve(subject, device=other)
    claim(all(x.device.type == other for x in tensors(done(moved))), f"from arguments on {other} it makes others")


WITHOUT_VALUES = ("parameterization", "weighting", "objective")
"""Kinds whose work does not depend on values, so that torch's device "meta" can stand for a GPU."""


def keeps_annotated_shapes(subject: Subject) -> None:
    """Methods are annotated with the shapes of their arguments and results, and the shapes are right."""
    contract = subject.registry.kinds[subject.entry.kind].protocol
    if not contract.__module__.startswith("margrpo.contracts."):
        not_applicable("its kind is a plugin's own")
    lacking = [name for name in annotated(contract) if not annotated(subject.cls, name)]
    claim(not lacking, f"annotate {', '.join(lacking)} of {subject.cls.__name__} with shapes, as the contract is")
    if lazy.Tensor is not torch.Tensor:
        not_applicable("margrpo was imported before torch, so that shapes stand for nothing; import torch first")
    if find_spec("beartype") is None:
        not_applicable('shapes are checked by beartype, which is not installed; pip install "margrpo[testing]"')
    try:
        done(attrs.evolve(subject, component=shape_checked(subject.component)))
    except TypeCheckError as error:
        claim(False, " ".join(str(error).split())[:400])


def requires_in_a_sentence(subject: Subject) -> None:
    """`require()` of a component and of each nested one raises a `MargrpoError` for a missing file or package."""
    for part in requirements(subject.component):
        try:
            part.require()
        except MargrpoError:
            continue
        except Exception as error:
            claim(False, f"require() of {type(part).__name__} raised {described(error)}; raise a MargrpoError")


CHECKS = (
    says_what_it_is,
    settings_have_meanings,
    is_frozen,
    survives_toml,
    refuses_an_unknown_key,
    imports_no_torch,
    requires_in_a_sentence,
)
OF_RESULTS = (
    gives_the_same_again,
    leaves_global_rng_alone,
    keeps_precision,
    keeps_device,
    keeps_annotated_shapes,
)


def its_own(subject: Subject) -> list[Any]:
    """The entries of the component's distribution."""
    found = subject.registry
    return [entry for entry in found.entries() if found.distribution(entry) == found.distribution(subject.entry)]


def module_of(target: str) -> str:
    """The module of an entry's target."""
    return target.partition(":")[0]


HEAVY = ("torch", "transformers", "diffusers", "onnxruntime", "sklearn", "scipy.stats", "cv2")
SCRIPT = """
import importlib, sys
for module in {modules!r}:
    importlib.import_module(module)
    heavy = [name for name in {heavy!r} if name in sys.modules]
    if heavy:
        print(module, ', '.join(heavy))
        break
"""


@functools.cache
def guilty_of_torch(modules: tuple[str, ...]) -> Mapping[str, str]:
    """The modules that import heavy packages, and these packages; found in processes of their own."""
    script = f"import sys; sys.path[:] = {sys.path!r}\n" + SCRIPT.format(modules=modules, heavy=HEAVY)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise AssertionError(f"the modules cannot be imported: {ended.stderr.strip().splitlines()[-1]}")
    if not ended.stdout:
        return {}
    first, heavy = ended.stdout.strip().split(" ", 1)
    return {first: heavy, **guilty_of_torch(modules[modules.index(first) + 1 :])}


def states() -> list[Any]:
    """The states of torch's and numpy's global generators; not of Python's, which beartype uses."""
    numpy: Any = np.random.get_state()
    return [torch.get_rng_state(), numpy[0], numpy[1].tolist(), *numpy[2:]]


def tensors(found: Any) -> Iterator[torch.Tensor]:
    """Every tensor of fractions in a result."""
    if isinstance(found, torch.Tensor):
        if found.is_floating_point():
            yield found
    elif isinstance(found, list | tuple):
        for each in found:
            yield from tensors(each)


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def annotated(cls: Any, name: str | None = None) -> list[str]:
    """The methods of a class (or the method `name`) whose arguments or result have shapes."""
    found = [key for key, value in vars(cls).items() if not key.startswith("_") and has_shapes(value)]
    return found if name is None else [key for key in found if key == name]


def has_shapes(method: Any) -> bool:
    """Whether a function is annotated with shapes of tensors."""
    hints = getattr(method, "__annotations__", {}).values()
    return callable(method) and any(isinstance(hint, type) and issubclass(hint, AbstractArray) for hint in hints)


def shape_checked(component: Any) -> Any:
    """A copy of the component, of a class whose annotated methods check their shapes."""
    from beartype import BeartypeConf, beartype

    cls, checker = type(component), beartype(conf=BeartypeConf(is_pep484_tower=True))
    checked = {name: jaxtyped(typechecker=checker)(vars(cls)[name]) for name in annotated(cls)}
    values = {field.alias or field.name: getattr(component, field.name) for field in attrs.fields(cls) if field.init}
    return type(cls.__name__, (cls,), checked)(**values)
