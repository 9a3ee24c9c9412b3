import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from margrpo.cli.new_plugin import KINDS, rendered, write
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.errors import PluginError
from margrpo.testing.conformance import NotApplicable, alone, cases
from tests.cli.command import run

EXAMPLE = Path(__file__).parents[2] / "plugins" / "margrpo-example"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("margrpo_mine")]:
        del sys.modules[name]


@pytest.mark.parametrize("kind", KINDS)
def test_an_untouched_package_keeps_every_promise(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write("margrpo-mine", kind, folder)
    monkeypatch.syspath_prepend(str(package))
    module = importlib.import_module("margrpo_mine")
    among, examples = alone(module), {}
    if kind == "policy":
        cls = among.load(among.find("policy", "mine"))
        examples["policy.mine"] = cls(conditioner=Label(classes=4, prefix=3), parameterization=Epsilon())
    kept = 0
    for case in cases("margrpo_mine", examples=examples, among=among):
        try:
            case()
        except NotApplicable:
            continue
        kept += 1
    assert kept > 10


def test_what_is_written_is_what_the_example_is_made_of() -> None:
    for kind, template in KINDS.items():
        texts = rendered("margrpo-example", template.name, kind)
        for file in template.files:
            assert texts[f"margrpo_example/{file}"] == (EXAMPLE / "margrpo_example" / file).read_text()
        assert texts["tests/conftest.py"] == (EXAMPLE / "tests" / "conftest.py").read_text()


def test_no_placeholder_is_left() -> None:
    for kind in KINDS:
        for path, text in rendered("margrpo-mine", "mine", kind).items():
            for word in (
                "EXAMPLES_",
                "IMPORTS",
                "KIND",
                "NAME",
                "CLASS",
                "TABLE",
                "VERSION",
                "SMALL",
                "example",
                "Bag(",
            ):
                assert word not in text.replace("examples=EXAMPLES", "").replace("EXAMPLES = ", ""), (path, word)


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    done = run("plugins", "new", "margrpo-mine", "--kind", "selector", "--in", tmp_path)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:] == [
        f"  pip install -e {tmp_path}/margrpo-mine",
        "  margrpo plugins list",
        f"  pytest {tmp_path}/margrpo-mine",
    ]
    assert "[selector]" in (tmp_path / "margrpo-mine" / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("margrpo-3d", "reward", "a component's name begins with a letter, and '3d' does not"),
        ("numpy", "reward", "a package numpy is installed already"),
        ("margrpo", "reward", "a package margrpo is installed already"),
        ("Mine", "reward", "'Mine' must be small letters, digits and hyphens, as in margrpo-mine"),
        ("margrpo-mine", "rewrd", "there is no template for a 'rewrd'; did you mean 'reward'?"),
        (
            "margrpo-mine",
            "attention",
            "there is no template for a 'attention', of policy, sampler, estimator, selector, rew",
        ),
        ("margrpo-shapes", "reward", "reward.shapes exists already, from margrpo; choose another NAME"),
        ("there", "reward", "there exists already; choose another name, or another folder with --in"),
    ],
)
def test_what_cannot_be_written_is_refused(name: str, kind: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(PluginError) as caught:
        write(name, kind, tmp_path)
    assert said in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
