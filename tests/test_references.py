import re
from pathlib import Path

import margrpo

PACKAGE = Path(margrpo.__file__).parent
REFERENCES = PACKAGE.parent / "docs" / "references.md"
CITED = re.compile(r"\((\w+(?:-\w+)*)(?:, (?:section|sections|eq\.|eqs\.|appendix|table|figure|algorithm) [^)]*)\)")
DEFINED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def cited() -> dict[str, str]:
    """Each source key that a docstring names, with a file that names it."""
    return {key: path.name for path in sorted(PACKAGE.rglob("*.py")) for key in CITED.findall(path.read_text())}


def test_every_source_that_a_docstring_names_is_in_the_references():
    found = cited()
    assert {"ddpm", "grpo"} <= set(found)
    assert {key: name for key, name in found.items() if key not in DEFINED.findall(REFERENCES.read_text())} == {}


def test_no_reference_is_listed_twice():
    keys = DEFINED.findall(REFERENCES.read_text())
    assert len(keys) == len(set(keys))
