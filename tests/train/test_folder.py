from importlib.metadata import version

from margrpo.plugin.hookspecs import Entry, hookimpl
from margrpo.plugin.registry import Registry
from margrpo.train import folder


class Plugin:
    @hookimpl
    def margrpo_components(self) -> list[Entry]:
        return [Entry("reward.mine", "mine:Mine", "a reward")]


def test_versions_name_the_libraries_and_the_distribution_of_every_plugin() -> None:
    among = Registry()
    among.register(Plugin(), "mine", distribution="hypothesis")
    found = folder.versions(among)
    assert found["hypothesis"] == version("hypothesis")
    assert found["torch"] == version("torch")
    assert list(found).count("margrpo") == 1
