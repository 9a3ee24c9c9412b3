"""Recipes that are nearly right: whatever is wrong with one is said in sentences, at once."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.cli.arguments import loadable, sound
from margrpo.errors import MargrpoError
from margrpo.plan.counts import plan
from margrpo.plugin.registry import registry
from margrpo.recipe.explain import explain
from margrpo.recipe.fit import check_fit, check_geometry
from margrpo.recipe.presence import check_presence
from margrpo.recipe.read import read
from margrpo.recipe.schema import Recipe
from margrpo.recipe.structure import structure, unstructure
from tests.faults.count import fuzz

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))
TABLES = [read(path) for path in RECIPES]
NAMES = sorted({entry.name for entry in registry().entries()})
LONGEST = 2000
"""Letters of one sentence."""

NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.0, -0.0, 1e-320, 1e308, float("inf"), float("nan"))
WORDS = ("", " ", "auto", "\0", "\x1b[31m", "\ud800", "é" * 9, "a" * 10_000, "../..", "/", "~")
nasty = st.one_of(
    st.sampled_from([*NUMBERS, True, False]),
    st.sampled_from(WORDS),
    st.sampled_from(NAMES).map(lambda name: {"use": name}),
    st.sampled_from(NAMES),
    st.sampled_from([[], {}, [[]], [{}], {"use": []}, {"use": {}}, {"": ""}, [None], None, {"use": ""}]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2), max_leaves=5),
)
keys = st.sampled_from(["use", "extends", "run", "reward", "steps", "a.b", "", " ", "0", "\n", "weight", "where"])


def places(table: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a table, by what holds it and its key."""
    pairs = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for key, value in list(pairs):
        yield table, key
        yield from places(value)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The table of a recipe of ours with one to three things done to it."""
    table = copy.deepcopy(draw(st.sampled_from(TABLES)))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(table))
        if not found:
            break
        holder, key = draw(st.sampled_from(found))
        what = draw(st.sampled_from(["replace", "replace", "remove", "add", "wrap", "swap"]))
        if what == "replace":
            holder[key] = copy.deepcopy(draw(nasty))
        elif what == "remove":
            del holder[key]
        elif what == "wrap":
            holder[key] = draw(st.sampled_from([[holder[key]], {"use": holder[key]}, {"a": holder[key]}]))
        elif what == "swap":
            other, place = draw(st.sampled_from(found))
            holder[key] = copy.deepcopy(other[place])
        elif isinstance(holder, dict):
            holder[draw(keys)] = copy.deepcopy(draw(nasty))
        else:
            holder.append(copy.deepcopy(draw(nasty)))
    return table


def check(recipe: Any) -> None:
    """What `margrpo train` asks of a recipe before weights are loaded, and what may be asked of a sound one."""
    check_geometry(recipe)
    check_presence(recipe)
    assert structure(unstructure(recipe)) == recipe
    assert explain(recipe)
    if isinstance(recipe, Recipe):
        plan(recipe)


def told(error: MargrpoError) -> None:
    """Whether an error is sentences of a length that somebody reads."""
    for line in str(error).split("\n"):
        assert line.strip()
        assert len(line) <= LONGEST, line[:300]


def refused_in_sentences(work: Any) -> None:
    """Do some work, which may be refused in sentences."""
    try:
        work()
    except MargrpoError as error:
        told(error)


@given(mutated())
@fuzz(120, 8000)
def test_a_mutated_table_is_a_recipe_or_refused_in_sentences(table: dict[str, Any]) -> None:
    def work() -> None:
        recipe = structure(table)
        check_fit(recipe)
        check(recipe)

    refused_in_sentences(work)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "recipes"
    shutil.copytree(ROOT / "recipes", folder)
    return folder


SNIPPETS = (
    *(b"\0", b"\xff", b"\r\n", b"\xef\xbb\xbf", b"[", b"]", b'"', b"'''", b"="),
    *(b"[[reward]]\n", b"use = 1\n", b"[run]\n"),
)
DEEP = (
    *(b"x = " + b"[" * 5000 + b"]" * 5000, b"x" + b".x" * 3000 + b" = 1"),
    *(b"x = " + b"{a=" * 3000, b"n = " + b"9" * 5000),
)


@given(st.data())
@fuzz(80, 4000)
def test_a_mutated_text_is_a_recipe_or_refused_in_sentences(copied: Path, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(RECIPES))
    text = source.read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        at, end = (data.draw(st.integers(0, len(text))) for _ in range(2))
        what = data.draw(st.sampled_from(["cut", "insert", "insert", "double", "flip", "deep"]))
        if what == "cut":
            text = text[: min(at, end)] + text[max(at, end) :]
        elif what == "insert":
            text = text[:at] + data.draw(st.sampled_from(SNIPPETS) | st.binary(max_size=4)) + text[at:]
        elif what == "double":
            text = text[:end] + text[min(at, end) :]
        elif what == "flip" and at < len(text):
            text = text[:at] + bytes([text[at] ^ (1 << data.draw(st.integers(0, 7)))]) + text[at + 1 :]
        elif what == "deep":
            text = data.draw(st.sampled_from(DEEP)) + b"\n" + text
    path = copied / source.relative_to(ROOT / "recipes").with_name("mutated.toml")
    path.write_bytes(text)
    refused_in_sentences(lambda: check(loadable(sound(path, []), path)))


PARTS = ("run", "steps", "reward", "0", "weight", "use", "estimator", "where", "policy", "", "x", "-1", "99")
VALUES = (*NAMES, "1", "-1", "1e999", "[", "{", "{use=1}", '"', "nan", "9" * 5000, "[" * 5000)
paths = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(".".join)
set_texts = st.tuples(paths, st.text(max_size=8) | st.sampled_from(VALUES)).map("=".join) | st.text(max_size=20)


@given(st.sampled_from(RECIPES), st.lists(set_texts, min_size=1, max_size=3))
@fuzz(60, 3000)
def test_whatever_is_set_gives_a_recipe_or_is_refused_in_sentences(source: Path, sets: list[str]) -> None:
    refused_in_sentences(lambda: check(loadable(sound(source, sets), source)))
