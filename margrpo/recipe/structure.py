"""Conversion of a merged table to a Recipe or Pretraining and back; all mistakes are reported with their paths."""

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import attrs

from margrpo.errors import PluginError, RecipeError
from margrpo.plugin.kinds import Kinds
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.leaf import inner_types, strict_converter
from margrpo.recipe.messages import REFUSALS, Problem, Unfit, nearest, problems_of, shown, sort_of, unfit
from margrpo.recipe.renamed import RENAMED
from margrpo.recipe.schema import Pretraining, PretrainRun, Recipe, Run

_WHOLE = {Recipe: "a training recipe", Pretraining: "a pre-training recipe, one with a [dataset]"}


def structure(
    data: Mapping[str, Any], *, source: str = "recipe", among: Registry | None = None
) -> Recipe | Pretraining:
    """The recipe of a table, or `RecipeError` with all its problems."""
    cls: type[Recipe | Pretraining] = Pretraining if "dataset" in data else Recipe
    found = among or registry()
    try:
        whole = with_defaults(data, cls, found.kinds)
        made: Recipe | Pretraining = _Structurer(found).converter.structure(whole, cls)
        return made
    except Unfit as error:
        raise RecipeError(source, [str(problem) for problem in error.problems]) from error


def unstructure(recipe: Recipe | Pretraining, *, among: Registry | None = None) -> dict[str, Any]:
    """The table of a recipe with every default written out, `use` first in each component's table."""
    table: dict[str, Any] = _Structurer(among or registry()).converter.unstructure(recipe)
    return table


def component_of(table: Any, kind: str, *, source: str = "component", among: Registry | None = None) -> Any:
    """The component of a table, or `RecipeError` with all its problems."""
    try:
        return _Structurer(among or registry()).component(table, kind)
    except Unfit as error:
        raise RecipeError(source, [str(problem) for problem in error.problems]) from error


def table_of_component(component: Any, kind: str, *, among: Registry | None = None) -> dict[str, Any]:
    """The table of one component with every default written out."""
    made: dict[str, Any] = _Structurer(among or registry()).component_table(kind)(component)
    return made


def with_defaults(data: Mapping[str, Any], cls: type, kinds: Kinds) -> dict[str, Any]:
    """The table with the default of every kind that is left out, and the default `use` of tables without one.

    A nested table always names its component, because the default of the kind would be a surprise there.
    """
    filled = dict(data)
    for kind in (kinds[field.name] for field in attrs.fields(cls) if field.name in kinds):
        given = filled.get(kind.name)
        if given is None and kind.default is not None:
            filled[kind.name] = kind.default
        elif isinstance(given, Mapping) and kind.default_use:
            filled[kind.name] = {"use": kind.default_use, **given}
    return filled


class _Structurer:
    """cattrs, taught that a setting annotated with a contract is a table whose `use` picks the class."""

    def __init__(self, among: Registry):
        self.registry, self.kinds = among, among.kinds
        self.converter = converter = strict_converter()
        converter.register_structure_hook_func(attrs.has, lambda table, cls: self._settings(table, cls, _label(cls)))
        converter.register_structure_hook_func(self._is_kind, lambda table, cls: self.component(table, self._kind(cls)))
        converter.register_unstructure_hook_factory(attrs.has, lambda _: self._table)
        converter.register_unstructure_hook_factory(self._is_kind, lambda cls: self.component_table(self._kind(cls)))

    def component(self, table: Any, kind: str) -> Any:
        """The component of a table or of a name alone."""
        if isinstance(table, str):  # short for a table of its `use` alone
            table = {"use": table}
        if not isinstance(table, Mapping):
            raise unfit(f"= {shown(table)} must be a table with a `use`, not {sort_of(table)}")
        use = table.get("use")
        if use is None:
            names = [shown(entry.name) for entry in self.registry.entries(kind)]
            raise unfit(f"lacks its `use`, which picks the {kind}: one of {', '.join(names)}")
        if not isinstance(use, str):
            raise Unfit([Problem(("use",), f"= {shown(use)} must be a string, not {sort_of(use)}")])
        try:
            cls = self.registry.load(self.registry.find(kind, use))
        except PluginError as error:
            raise Unfit([Problem(("use",), f"= {shown(use)}: {error}")]) from error
        settings = {key: value for key, value in table.items() if key != "use"}
        return self._settings(settings, cls, f"{kind}.{use}")

    def _settings(self, table: Any, cls: type, label: str) -> Any:
        if not isinstance(table, Mapping):
            raise unfit(f"= {shown(table)} must be a table, not {sort_of(table)}")
        fields = settings_of(cls)
        problems = [_unknown(key, cls, label, kinds=self.kinds) for key in table if key not in fields]
        values = {}
        for key, field in fields.items():
            try:
                if key in table:
                    values[key] = self._setting(table[key], field)
                elif field.default is attrs.NOTHING:
                    raise unfit(_required(field, cls, label, kinds=self.kinds))
            except REFUSALS as error:
                problems += [problem.under(key) for problem in problems_of(error, table.get(key))]
        if problems:
            raise Unfit(problems)
        return _made(cls, values)

    def _setting(self, value: Any, field: "attrs.Attribute[Any]") -> Any:
        if isinstance(value, Mapping) and _is_many(field.type, self.kinds):
            raise unfit(f"must be an array of tables: write [[{field.name}]], not [{field.name}]")
        cls: Any = field.type
        structured = self.converter.structure(value, cls)
        check = field.metadata.get("check")
        if check is not None:
            check(None, field, structured)
        return structured

    def _table(self, settings: Any) -> dict[str, Any]:
        """The table of all settings; a None is left out, because TOML lacks a value for it."""
        fields = settings_of(type(settings))
        values = {key: (getattr(settings, field.name), field.type) for key, field in fields.items()}
        return {key: self._plain(value, cls) for key, (value, cls) in values.items() if value is not None}

    def _plain(self, value: Any, cls: Any) -> Any:
        return self.converter.unstructure(value, unstructure_as=cls)

    def component_table(self, kind: str) -> Callable[[Any], dict[str, Any]]:
        """A function that makes the table of a component of this kind."""
        return lambda made: {"use": self.registry.name_of(kind, made), **self._table(made)}

    def _is_kind(self, cls: Any) -> bool:
        return self.kinds.of(cls) is not None

    def _kind(self, contract: Any) -> str:
        kind = self.kinds.of(contract)
        assert kind is not None
        return kind.name


def settings_of(cls: type) -> dict[str, "attrs.Attribute[Any]"]:
    """The TOML keys of an attrs class, in order, with types resolved."""
    return {field.alias or field.name: field for field in attrs.fields(attrs.resolve_types(cls)) if field.init}


def _is_many(annotation: Any, kinds: Kinds) -> bool:
    return get_origin(annotation) is tuple and any(map(kinds.of, get_args(annotation)))


def _label(cls: type) -> str:
    return "run" if cls in (Run, PretrainRun) else _WHOLE.get(cls, "this table")


def _unknown(key: str, cls: type, label: str, *, kinds: Kinds) -> Problem:
    fields = settings_of(cls)
    if new := RENAMED.get(key if cls in _WHOLE else f"{label}.{key}"):
        return Problem((key,), f"is now {new}")
    if cls not in _WHOLE:
        return Problem((key,), f"is not a setting of {label}; {nearest(key, fields)}")
    if cls is Pretraining and key in kinds:
        return Problem((key,), f"is not a table of {label}; remove it, or [dataset]")
    if key in kinds:
        return Problem((key,), f"is not a table of {label}; put it into the table of the component that takes a {key}")
    return Problem((key,), f"is not a table of {label}; {nearest(key, [*fields, 'dataset', 'extends'])}")


def _required(field: "attrs.Attribute[Any]", cls: type, label: str, *, kinds: Kinds) -> str:
    meaning = field.metadata.get("meaning")
    is_many = _is_many(field.type, kinds)
    table = f"[[{field.name}]]" if is_many else f"[{field.name}]"
    hint = f"; write {table} with a `use`" if cls in _WHOLE else "; give it a table with a `use`"
    takes_component = is_many or any(map(kinds.of, inner_types(field.type)))
    return f"is required by {label} and missing" + (f": {meaning}" if meaning else "") + hint * takes_component


def _made(cls: type, values: Mapping[str, Any]) -> Any:
    """The instance, made after each setting was checked; only rules between settings can still fail."""
    try:
        made = cls(**values)
        rules = getattr(made, "problems", None)
        sentences = list(rules()) if callable(rules) else []
    except REFUSALS as error:
        raise Unfit(problems_of(error, dict(values))) from error
    if sentences:
        raise Unfit([_about(sentence, cls) for sentence in sentences])
    return made


def _about(sentence: str, cls: type) -> Problem:
    key, _, rest = sentence.partition(" ")
    return Problem((key,), rest) if key in settings_of(cls) else Problem((), f"is refused: {sentence}")
