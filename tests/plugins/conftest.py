import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from margrpo.plugin.registry import Registry

PLUGIN = Path(__file__).parents[2] / "plugins" / "margrpo-example"


def install(project: Path, into: Path) -> None:
    """Write the metadata that installing the project would write, from its pyproject.toml."""
    found = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = into / f"{found['name'].replace('-', '_')}-{found['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {found['name']}\nVersion: {found['version']}\n")
    points = [f"{name} = {module}\n" for name, module in found["entry-points"]["margrpo"].items()]
    (info / "entry_points.txt").write_text("[margrpo]\n" + "".join(points))


def points(folder: Path) -> Iterator[EntryPoint]:
    for distribution in distributions(path=[str(folder)]):
        yield from distribution.entry_points.select(group="margrpo")


@pytest.fixture
def among(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.syspath_prepend(str(PLUGIN))
    install(PLUGIN, tmp_path)
    found = Registry()
    found.discover(points(tmp_path))
    assert found.failures == []
    return found
