from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from margrpo.recipe.leaf import strict_converter
from margrpo.recipe.messages import REFUSALS, problems_of


@pytest.mark.parametrize(
    ("cls", "value", "made"),
    [
        (float, 3, 3.0),
        (Path, "a/b", Path("a/b")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (list[int], [1], [1]),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (Mapping[str, tuple[int, ...]], {"a": [1]}, {"a": (1,)}),
        (int | None, 3, 3),
        (int | str, "a", "a"),
        (Literal["a", 1], 1, 1),
        (float, float("inf"), float("inf")),
        (Any, [1, "a"], [1, "a"]),
    ],
)
def test_a_value_of_its_type_is_taken(cls: Any, value: Any, made: Any) -> None:
    found = strict_converter().structure(value, cls)
    assert found == made
    assert type(found) is type(made)


@pytest.mark.parametrize(
    ("cls", "value", "sentences"),
    [
        (int, "3", ['= "3" must be a whole number, not a string']),
        (int, 3.0, ["= 3.0 must be a whole number, not a number with a fraction"]),
        (int, True, ["= true must be a whole number, not true or false"]),
        (bool, "no", ['= "no" must be true or false, not a string']),
        (bool, 1, ["= 1 must be true or false, not a whole number"]),
        (float, True, ["= true must be a number, not true or false"]),
        (str, 3, ["= 3 must be a string, not a whole number"]),
        (Path, 3, ["= 3 must be a string, not a whole number"]),
        (tuple[str, ...], "abc", ['= "abc" must be an array, not a string']),
        (
            tuple[int, ...],
            [1, "a", True],
            ['1 = "a" must be a whole number, not a string', "2 = true must be a whole number, not true or false"],
        ),
        (tuple[int, int], [1], ["= [1] must have 2 items, not 1"]),
        (dict[str, int], [1], ["= [1] must be a table, not an array"]),
        (dict[str, int], {"a": "b"}, ['a = "b" must be a whole number, not a string']),
        (int | str, 3.5, ["= 3.5 must be a whole number or a string, not a number with a fraction"]),
        (Literal["a", 1], True, ['= true must be one of "a", 1']),
        (float, 10**400, ["= 1" + "0" * 78 + "… is not allowed: int too large to convert to float"]),
    ],
)
def test_a_value_of_another_type_is_refused_never_converted(cls: Any, value: Any, sentences: list[str]) -> None:
    with pytest.raises(REFUSALS) as caught:
        strict_converter().structure(value, cls)
    assert [str(problem) for problem in problems_of(caught.value, value)] == sentences


@pytest.mark.parametrize("cls", [str, Path])
def test_half_a_character_is_no_text(cls: type) -> None:
    with pytest.raises(REFUSALS) as caught:
        strict_converter().structure("a\ud800", cls)
    (problem,) = problems_of(caught.value, "a\ud800")
    assert "= 'a\\ud800' holds half of a character, which is not text in UTF-8" in str(problem)
    assert strict_converter().structure("é�", str) == "é�"
