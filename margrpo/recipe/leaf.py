"""Reading of single values exactly as written, because cattrs would turn 3.7 into 3 and "no" into true."""

import functools
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import cattrs

from margrpo.recipe.messages import REFUSALS, Unfit, problems_of, shown, sort_of, unfit

_WORDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


def strict_converter() -> cattrs.Converter:
    """A cattrs converter that coerces nothing, except a whole number where a number is asked for."""
    converter = cattrs.Converter(unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(bool, lambda value, _: _exactly(value, bool))
    converter.register_structure_hook(int, lambda value, _: _exactly(value, int))
    converter.register_structure_hook(str, lambda value, _: _text(value))
    converter.register_structure_hook(float, lambda value, _: _number(value))
    converter.register_structure_hook(Path, lambda value, _: Path(_text(value)))
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook_func(_is_literal, _literal)
    for fits, read in ((_is_sequence, _sequence), (_is_mapping, _mapping), (_is_choice, _union)):
        converter.register_structure_hook_func(fits, functools.partial(read, converter))
    return converter


def inner_types(annotation: Any) -> list[Any]:
    """The types an annotation allows, None aside: [X] for X and for `X | None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for each in get_args(annotation) if each is not type(None)]
    return [annotation]


def _is_literal(cls: Any) -> bool:
    origin: Any = get_origin(cls)
    return origin is Literal


def _is_sequence(cls: Any) -> bool:
    return get_origin(cls) in (tuple, list, Sequence)


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) in (dict, Mapping)


def _is_choice(cls: Any) -> bool:
    return len(inner_types(cls)) > 1


def _exactly(value: Any, cls: type) -> Any:
    if type(value) is not cls:
        raise unfit(f"= {shown(value)} must be {_WORDS[cls]}, not {sort_of(value)}")
    return value


def _text(value: Any) -> str:
    text: str = _exactly(value, str)
    if not text.isascii() and text != text.encode(errors="replace").decode():
        raise unfit(f"= {ascii(text)[:60]} holds half of a character, which is not text in UTF-8")
    return text


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise unfit(f"= {shown(value)} must be a number, not {sort_of(value)}")
    if math.isnan(value):
        raise unfit("= nan must be a number")
    return float(value)


def _literal(value: Any, cls: Any) -> Any:
    for allowed in get_args(cls):
        if type(value) is type(allowed) and value == allowed:
            return value
    raise unfit(f"= {shown(value)} must be one of {', '.join(map(shown, get_args(cls)))}")


def _sequence(converter: cattrs.Converter, values: Any, cls: Any) -> Any:
    if not isinstance(values, (list, tuple)):
        raise unfit(f"= {shown(values)} must be an array, not {sort_of(values)}")
    wanted = [each for each in get_args(cls) if each is not Ellipsis]
    if get_origin(cls) is tuple and Ellipsis not in get_args(cls):
        if len(values) != len(wanted):
            raise unfit(f"= {shown(values)} must have {len(wanted)} items, not {len(values)}")
    else:
        wanted *= len(values)
    items = _each(converter, {str(number): item for number, item in enumerate(values)}, wanted).values()
    return list(items) if get_origin(cls) is list else tuple(items)


def _mapping(converter: cattrs.Converter, values: Any, cls: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise unfit(f"= {shown(values)} must be a table, not {sort_of(values)}")
    return _each(converter, values, [get_args(cls)[1]] * len(values))


def _each(converter: cattrs.Converter, values: Mapping[str, Any], wanted: Sequence[Any]) -> dict[str, Any]:
    """Every item structured, or every problem of every item, under its key."""
    made, problems = {}, []
    for (key, value), cls in zip(values.items(), wanted, strict=True):
        try:
            made[key] = converter.structure(value, cls)
        except REFUSALS as error:
            problems += [problem.under(key) for problem in problems_of(error, value)]
    if problems:
        raise Unfit(problems)
    return made


def _union(converter: cattrs.Converter, value: Any, cls: Any) -> Any:
    for each in inner_types(cls):
        try:
            return converter.structure(value, each)
        except REFUSALS:
            continue
    asked = " or ".join(_WORDS.get(each, str(each)) for each in inner_types(cls))
    raise unfit(f"= {shown(value)} must be {asked}, not {sort_of(value)}")
