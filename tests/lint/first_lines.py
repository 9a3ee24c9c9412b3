"""Count first lines that do not stand alone: docstrings, meanings of settings and figures, and paragraphs of docs.

A first line stands alone where a reader who has read nothing else knows what it is about: its subject is a noun, and
no word of it points to a line before it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("margrpo", "plugins")
LIMIT = 0
DOCS_LIMIT = 0
"""Largest number of paragraphs in docs/ and README.md whose first sentence may fail."""

HEADLESS = (
    # The subject is a pronoun, or an adjective whose noun is missing.
    r"^(?:it|its|they|them|their|those|these|that|such|both|neither|others|ours)\b",
    r"^this(?! (?:process|machine|library|page|table)\b)\b",
    r"^(?:(?:the )?(?:one|first|last|next|other|same|least|most)|an?other|each|either) ?"
    r"(?:[.,:;]|$|\b(?:of|that|which|where|for|after|before|by|in|with|less|has|is|are|was|were)\b)",
    r"^(?:all|nothing|none|everything|anything|something|never|nowhere)(?:[.,:;]|$| of them\b)",
    r"^the same\b",
    # The sentence has no subject.
    r"^(?:of|as|like|so|than|besides)\b(?! for\b)",
    r"^(?:in|at|to|by|from|with|for|over|on) (?:which|whom|what|how)\b",
    r"^(?:what|how|why|where|when|whether|who|whose) (?:it|its|they|them|he|she|there|this|that|these|those)\b",
    r"^(?:what|how|which|where|who)\b",
    r"^(?:why|when) (?:\w+ )?(?:is|are|was|were|has|had)\b",
    # A word points out of the sentence.
    r"\bso (?:many|much|few)\b|\bhow far (?:one|some|it|they)\b",
    r"(?<!there )\b(?:is|are) no (?!more\b|less\b|longer\b|later\b)",
    r"\b(?:told|tells|ours|theirs|meanwhile|strayed)\b",
    r"\bthe others?\b(?! \w)|\bone of (?:them|those|these)\b|\bthose (?:of|that|which|who|with)\b",
    r"\bas (?:it|they) (?:is|are|was|were|came|come)\b",
    r"\b(?:none|not|no) such\b|\bsuch (?:an? )?(?!as\b)\w",
)
NOT_PROSE = re.compile(r"<!-- (?:generated|table).*?<!-- end.*?-->|^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
PARAGRAPH = re.compile(r"(?:(?<=\n\n)|\A)(?![#|<!>\s]|[-*] |\d+\. )\S.*?(?=\n\n|\n?\Z)", re.DOTALL)
SENTENCE = re.compile(r".*?(?:[.:?!](?=\s|$)|$)")
FRAGMENT = re.compile(r"^[\w'’.-]+(?: [\w'’.-]+)?[.:;]?$")
DOES_NOT_STAND_ALONE = re.compile("|".join(f"(?:{pattern})" for pattern in HEADLESS), re.IGNORECASE)


def stands_alone(line: str) -> bool:
    """Whether a reader of `line` alone knows what it is about; a name in backticks may be a line of its own."""
    return not (FRAGMENT.match(line) or DOES_NOT_STAND_ALONE.search(line))


def first_lines(source: str) -> Iterator[tuple[int, str]]:
    """Number and text of the first line of every docstring, setting's meaning and figure's meaning in `source`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if text := ast.get_docstring(node):
                yield node.body[0].lineno, text.splitlines()[0]
        elif isinstance(node, ast.Call) and (text := meaning(node)):
            yield node.lineno, text


def meaning(call: ast.Call) -> str | None:
    """The meaning that a call of `setting` or `Figure` declares; two words are enough there: "learning rate"."""
    place = {"setting": 1, "Figure": 2}.get(getattr(call.func, "id", ""))
    if place is None:
        return None
    named = [keyword.value for keyword in call.keywords if keyword.arg == "meaning"]
    for node in named or call.args[place : place + 1]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return f"{node.value} " if FRAGMENT.match(node.value) else node.value
    return None


def headless(root: Path) -> tuple[list[str], int]:
    """The lines below `root` that do not stand alone, each as file:line: text, and the number of lines read."""
    found, count = [], 0
    for folder in FOLDERS:
        for path in sorted(path for path in (root / folder).rglob("*.py") if "tests" not in path.parts):
            for number, line in first_lines(path.read_text(encoding="utf-8")):
                count += 1
                if not stands_alone(line):
                    found.append(f"{path.relative_to(root)}:{number}: {line}")
    return found, count


def first_sentences(page: str) -> Iterator[tuple[int, str]]:
    """Line number and first sentence of every paragraph of `page`; code, tables, lists and headings are left out."""
    prose = NOT_PROSE.sub(lambda match: "\n" * match[0].count("\n"), page)
    for paragraph in PARAGRAPH.finditer(prose):
        sentence = SENTENCE.match(" ".join(paragraph[0].split()))
        yield prose.count("\n", 0, paragraph.start()) + 1, sentence[0] if sentence else ""


def headless_pages(root: Path) -> tuple[list[str], int]:
    """The paragraphs below `root` that do not stand alone, as file:line: sentence, and the number of all."""
    found, count = [], 0
    for path in sorted([*(root / "docs").rglob("*.md"), *root.glob("README.md")]):
        for number, sentence in first_sentences(path.read_text(encoding="utf-8")):
            count += 1
            if not stands_alone(sentence.replace("*", "")):
                found.append(f"{path.relative_to(root)}:{number}: {sentence}")
    return found, count


def main(root: Path = ROOT) -> int:
    """Print the lines that do not stand alone; 1 where there are more than `LIMIT` in code or `DOCS_LIMIT` in docs."""
    checks = (("first lines", headless(root), LIMIT), ("paragraphs of docs", headless_pages(root), DOCS_LIMIT))
    for what, (found, count), limit in checks:
        summary = f"{len(found)} of {count} {what} do not stand alone; the limit is {limit}."
        sys.stdout.write("\n".join([*found, summary]) + "\n")
    return any(len(found) > limit for _, (found, _), limit in checks)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
