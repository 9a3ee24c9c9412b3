import subprocess
import sys

import attrs
import pytest

from margrpo import Entry
from margrpo.plugin.builtin import margrpo_components, margrpo_kinds
from margrpo.plugin.registry import Registry


@pytest.mark.parametrize("entry", margrpo_components(), ids=lambda entry: entry.id)
def test_a_built_in_target_is_a_component_of_its_kind(entry: Entry) -> None:
    assert attrs.has(Registry().load(entry))


def test_every_kind_has_a_component() -> None:
    assert {entry.kind for entry in margrpo_components()} == {kind.name for kind in margrpo_kinds()}


def test_every_entry_has_a_summary_of_one_line() -> None:
    for entry in margrpo_components():
        assert entry.summary
        assert "\n" not in entry.summary


def test_every_target_is_imported_without_torch() -> None:
    source = (
        "import sys\nfrom margrpo.plugin.registry import Registry\namong = Registry()\n"
        "loaded = [among.load(entry) for entry in among.entries()]\n"
        "sys.exit('torch' in sys.modules or len(loaded) < 40)"
    )
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
