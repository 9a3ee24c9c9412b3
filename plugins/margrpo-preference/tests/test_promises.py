from collections.abc import Callable
from pathlib import Path
from typing import Any

import margrpo_preference
import torch
from margrpo_preference.aesthetic import Aesthetic
from margrpo_preference.clip_score import ClipScore
from margrpo_preference.hps import Hps
from margrpo_preference.pickscore import Pickscore

from margrpo.testing import every_check

from . import tiny
from .open_clip_plain import OpenClip
from .test_rewards import marks_file


def on_a_small_clip(cls: Any, **files: Callable[[Path], Path]) -> Callable[[Path], Any]:
    """An example that is made in the check's own folder."""

    def made(folder: Path) -> Any:
        place = str(tiny.save(folder / "clip"))
        base = {"base": place} if files else {"checkpoint": place}
        return cls(**base, **{name: str(make(folder)) for name, make in files.items()})

    return made


def hps_file(folder: Path) -> Path:
    torch.manual_seed(3)
    torch.save({"state_dict": OpenClip(vocabulary=54, length=12).state_dict()}, folder / "hps.pt")
    return folder / "hps.pt"


EXAMPLES = {
    "reward.clip_score": on_a_small_clip(ClipScore),
    "reward.pickscore": on_a_small_clip(Pickscore),
    "reward.hps": on_a_small_clip(Hps, checkpoint=hps_file),
    "reward.image_reward": lambda folder: tiny.image_reward(folder)[0],
    "reward.aesthetic": on_a_small_clip(Aesthetic, checkpoint=marks_file),
}


@every_check(margrpo_preference, examples=EXAMPLES)
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
