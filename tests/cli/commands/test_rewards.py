from pathlib import Path

import pytest

from margrpo.cli.commands.rewards import rewards_of
from margrpo.components.reward.brightness import Brightness
from margrpo.errors import MargrpoError


def test_a_registered_name_is_meant_even_where_a_folder_has_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brightness").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert rewards_of("brightness", None) == (Brightness(),)
    with pytest.raises(MargrpoError, match="elsewhere"):
        rewards_of("elsewhere", None)
