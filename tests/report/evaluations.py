"""An evaluation of two policies on three prompts, with small pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from margrpo.evaluate.result import result, write
from margrpo.evaluate.suite import Examined
from margrpo.records import Prompt
from margrpo.report.evaluation import page

FACTS = {
    "suite": "shapes",
    "prompts": 3,
    "images": 2,
    "seed": 0,
    "note": "",
    "shares": ["shapes"],
    "weights": {"base": "a", "tuned": "b"},
}


def examined() -> dict[str, Examined]:
    """Scores by one reward; the tuned policy is better at one category."""
    prompts = tuple(Prompt(text) for text in ("a <b>cat</b>", "a dog", "a car"))
    scores = {"base": [0.0, 0.5, 0.25, 0.25, 1.0, 0.0], "tuned": [1.0, 1.0, 0.5, 0.5, 1.0, 0.0]}
    return {
        who: Examined(prompts, ("animal", "animal", "thing"), 2, {"shapes": np.array(values)})
        for who, values in scores.items()
    }


def page_of(folder: Path) -> str:
    """The evaluation written into a folder, and its page."""
    of = examined()
    for who in of:
        (folder / "images" / who).mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(folder / "images" / who / f"{number:05d}.png")
    found = result(of, FACTS)
    write(folder, of, found)
    return page(found, dict.fromkeys(of, folder))
