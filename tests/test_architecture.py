import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import margrpo.records

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PICTURE = (ROOT / "docs" / "images" / "flow.svg").read_text(encoding="utf-8")
PATH = re.compile(r"`((?:margrpo|tests|docs|recipes|plugins)/[^`\s]*|[\w-]+\.(?:py|md|toml|txt|cff|yml|yaml))`")
ROW = re.compile(r"^\| (.+?) \| (.+?) \|", re.MULTILINE)


def paths(text: str) -> list[str]:
    return PATH.findall(text)


def folders() -> set[str]:
    """Every folder of the package that holds a file of the package."""
    files = (path for path in (ROOT / "margrpo").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    inside = {path.parent.relative_to(ROOT).as_posix() + "/" for path in files}
    return inside - {"margrpo/"}


def modules(folder: str) -> set[str]:
    found = (ROOT / folder).rglob("*.py")
    return {path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py"}


def section(heading: str) -> str:
    return re.split(r"^## ", PAGE.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]


def test_every_folder_of_the_package_has_its_promise():
    assert folders() <= set(paths(section("The folders")))


def test_every_module_of_training_is_described_once():
    assert sorted(paths(section("The rooms of training"))) == sorted(modules("margrpo/train"))


@pytest.mark.parametrize("place", sorted({each for each in paths(PAGE) if "/" in each}))
def test_what_the_page_names_is_there(place: str):
    assert (ROOT / place).exists()


def test_the_files_worth_knowing_are_in_the_folder_of_their_row():
    for first, third in re.findall(r"^\| (`margrpo/.+?) \| .+? \| (.*?) \|$", section("The folders"), re.MULTILINE):
        homes = [ROOT / home for home in paths(first)]
        for name in re.findall(r"`([\w/]+\.py)`", third):
            near = [ROOT, *homes, *(home.parent for home in homes)]
            assert any((place / name).exists() for place in near), (first, name)


@pytest.mark.parametrize("root", ["margrpo", "margrpo.train"])
def test_the_layers_on_the_page_are_those_that_are_checked(root: str):
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in checked if each["type"] == "layers" and each["containers"] == [root])
    block = PAGE.partition(f"\nLayers of `{root}`:\n\n```text\n")[2].partition("```")[0]
    assert block.split("\n")[:-1] == [layer for layer in contract["layers"] if not layer.startswith("(")]


@pytest.mark.parametrize("place", sorted(set(re.findall(r">((?:recipe|train)/[\w/]+\.py)<", PICTURE))))
def test_what_the_picture_names_is_there(place: str):
    assert (ROOT / "margrpo" / place).exists()


def test_blocks_of_code_have_one_word_behind_their_fence_because_mkdocs_knows_no_other():
    opened = [line for line in [*PAGE.split("\n"), *GUIDE.split("\n")] if line.startswith("```")]
    assert [line for line in opened if not re.fullmatch(r"```\w*", line)] == []


def test_at_least_forty_questions_have_a_file():
    rows = [row for row in ROW.findall(section("Where do I change …")) if row[0].startswith("…")]
    assert len(rows) >= 40
    assert [row for row in rows if not paths(row[1])] == []


def test_no_question_is_asked_twice():
    asked = [row[0] for row in ROW.findall(section("Where do I change …")) if row[0].startswith("…")]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("name", sorted({*re.findall(r"`(\w+)` in `", PAGE)}))
def test_a_name_that_a_row_points_at_is_in_its_file(name: str):
    for place in re.findall(rf"`{name}` in `([^`]+)`", PAGE):
        tree = ast.parse((ROOT / place).read_text(encoding="utf-8"))
        defined = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.ClassDef)}
        constants = {each.id for line in tree.body if isinstance(line, ast.Assign) for each in line.targets}
        assert name in defined | constants, place


def sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.decorator_list}


def test_the_sessions_of_nox_that_the_guide_names_are_there():
    named = {word for line in re.findall(r"nox -s ([a-z_ ]+)", GUIDE) for word in line.split()}
    assert {"tests", "lint", "types", "docs"} <= named <= sessions()


@pytest.mark.parametrize("place", sorted({each for each in paths(GUIDE) if "NAME" not in each and "KIND" not in each}))
def test_what_the_guide_names_is_there(place: str):
    assert (ROOT / place).exists()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", GUIDE))))
def test_the_links_of_the_guide_lead_somewhere(link: str):
    assert (ROOT / link).exists()


def test_the_axis_letters_of_the_guide_are_those_of_the_records():
    legend = set(re.findall(r"(?:^|  )([a-z])  ", margrpo.records.__doc__ or "", re.MULTILINE)) | {"h", "w"}
    table = GUIDE.partition("### Axis letters")[2].partition("\n### ")[0].partition("|---")[2]
    assert legend == set(re.findall(r"`(\w)`", table))


def test_ruff_is_the_one_of_the_tests_before_a_commit():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (pinned,) = re.findall(r"^ruff==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    needed = [each for repo in hooks["repos"] for hook in repo["hooks"] for each in hook["additional_dependencies"]]
    assert set(needed) == {f"ruff=={pinned}"}


def test_the_citation_has_the_version_of_the_package():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cited["title"], cited["version"], cited["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )


def test_every_file_at_the_top_is_in_the_source_distribution():
    listed = subprocess.run(["git", "ls-files", "--cached"], cwd=ROOT, capture_output=True, text=True, check=False)
    top = {name.partition("/")[0] for name in listed.stdout.split("\n") if name}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    packed = {name.removeprefix("/") for name in build["sdist"]["include"]} | {"pyproject.toml", ".gitignore"}
    assert {name for name in top if not name.startswith(".")} - {"pyproject.toml"} <= packed
