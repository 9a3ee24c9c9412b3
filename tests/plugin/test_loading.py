from pathlib import Path

import pytest

from margrpo import Entry
from margrpo.components.selector import Every
from margrpo.contracts import Reward, Selector
from margrpo.errors import PluginError
from margrpo.plugin.loading import described, import_component
from margrpo.plugin.registry import Registry


def test_a_target_is_imported_as_its_class() -> None:
    assert import_component(Entry("selector.every", "margrpo.components.selector:Every"), Selector) is Every


@pytest.mark.parametrize(
    ("target", "kind", "sentence"),
    [
        (
            "no_such.module:Thing",
            "selector",
            "selector.x: its module no_such.module cannot be imported: ModuleNotFoundError: No module named 'no_such'",
        ),
        (
            "margrpo.components.selector:Evry",
            "selector",
            "selector.x: the module margrpo.components.selector has no Evry; correct the entry's target",
        ),
        (
            "margrpo.components.selector:chosen",
            "selector",
            "selector.x: margrpo.components.selector:chosen is not a component class; put @margrpo.component above it",
        ),
        (
            "margrpo.components.selector:Every",
            "reward",
            "reward.x: margrpo.components.selector:Every lacks traits, build, weight, "
            "which the contract Reward asks for",
        ),
    ],
)
def test_a_bad_target_is_refused_with_a_sentence(target: str, kind: str, sentence: str) -> None:
    with pytest.raises(PluginError) as caught:
        import_component(Entry(f"{kind}.x", target), Registry().kinds[kind].protocol)
    assert str(caught.value) == sentence


def test_an_error_is_described_on_one_line() -> None:
    assert described(ValueError("a\n  b")) == "ValueError: a b"
    assert described(ValueError()) == "ValueError"
    assert described(PluginError("a sentence")) == "a sentence"


def test_a_module_that_ends_the_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves_at_once.py").write_text('raise SystemExit("needs a GPU")\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="leaves_at_once cannot be imported: SystemExit: needs a GPU"):
        import_component(Entry("reward.x", "leaves_at_once:Thing"), Reward)
