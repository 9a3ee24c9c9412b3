from collections.abc import Callable
from pathlib import Path
from typing import Any

import margrpo_vqa
from margrpo_vqa.git_vqa import GitVqa
from margrpo_vqa.vlm_judge import VlmJudge

from margrpo.testing import every_check

from . import tiny


def git(folder: Path) -> Any:
    return GitVqa(checkpoint=str(tiny.git(folder / "git")))


def llava(folder: Path) -> Any:
    return VlmJudge(checkpoint=str(tiny.llava(folder / "llava")))


@every_check(margrpo_vqa, examples={"reward.git_vqa": git, "reward.vlm_judge": llava})
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
