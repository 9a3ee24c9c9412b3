import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from margrpo.plugin.hookspecs import Entry, hookimpl
from margrpo.plugin.registry import Registry
from margrpo.train.run import occupied
from margrpo.train.run.changes import changes
from margrpo.train.run.versions import versions

OCCUPY = """
import sys
from pathlib import Path
from margrpo.errors import RunError
from margrpo.train.run.occupied import occupied
try:
    with occupied(Path(sys.argv[1])):
        print("free")
except RunError as error:
    print(error)
"""


class Plugin:
    @hookimpl
    def margrpo_components(self) -> list[Entry]:
        return [Entry("reward.mine", "mine:Mine", "a reward")]


def test_versions_name_the_libraries_and_the_distribution_of_every_plugin() -> None:
    among = Registry()
    among.register(Plugin(), "mine", distribution="hypothesis")
    found = versions(among)
    assert found["hypothesis"] == version("hypothesis")
    assert found["torch"] == version("torch")
    assert list(found).count("margrpo") == 1


def test_one_process_at_a_time_runs_in_a_folder(tmp_path: Path) -> None:
    place = tmp_path / "run"
    with occupied.occupied(place):
        done = subprocess.run([sys.executable, "-c", OCCUPY, str(place)], capture_output=True, text=True, check=False)
        (place / "recipe.toml").touch()
    assert done.stdout == (
        f"{place}: is in use by another process (process {os.getpid()} on {socket.gethostname()}); wait for its end, "
        "or choose another --out\n"
    )
    with occupied.occupied(place):
        pass


def test_a_folder_in_which_nothing_was_begun_is_not_left_behind(tmp_path: Path) -> None:
    place = tmp_path / "run"
    with pytest.raises(KeyError), occupied.occupied(place):
        raise KeyError
    assert not place.exists()


def test_changes_are_told_by_dotted_keys() -> None:
    before = {"a": 1, "table": {"x": [1, 2], "gone": True}, "many": [{"use": "p"}, {"use": "q"}]}
    after = {"a": 1, "table": {"x": [1, 3], "new": "é"}, "many": [{"use": "p"}, {"use": "r"}]}
    assert changes(before, after) == {
        "table.x": "[1, 2], now [1, 3]",
        "table.gone": "true, now absent",
        "many.1.use": '"q", now "r"',
        "table.new": 'absent, now "é"',
    }
