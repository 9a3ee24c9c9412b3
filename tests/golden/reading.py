"""Numbers recorded from published code; MANIFEST.json says from which, and how far float32 may be from them.

A test that holds the library to a file is marked `@pytest.mark.golden(NAME, …)`, takes the file's tensors from
`recorded` (or `layouts`), and compares with `allowed(NAME, KEY)`. Then disturbing.py finds it, and checks that it fails
when the number is another: it changes the very tensors that `recorded` gives, which therefore must not be copied while
a module is imported.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent
MANIFEST = json.loads((FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))
LIKE = (
    (r"^out\.allmask_z$", "decoder_z"),
    (r"^out\.allmask_encoder$", "encoder_out"),
    (r"^out\.tokens_unpatchified$", "out.tokens"),
    (r"^sample_(T\d+_)(cfg\d)_temp.*\.(xt|xt_prev|mean)$", r"train_\1from_\2.mean"),
    (r"^sample_(T\d+_)cfg\d_temp.*\.log_prob$", r"train_\1from_cfg1.logp"),
    (r"^(T\d+)\.(?:pmv|ps)\.", r"\1."),
    (r"^out\.", ""),
)
"""Whose tolerance a tensor has that the manifest does not list by its own name; the first that fits."""

SHARE = 1e-5
SHARES = (
    (r"\.logp_", 1e-3),  # divides what float32 leaves of a mean by σ: a run in float64 differs by up to 2e-3
    (r"^step\d+\.sampled$", 1e-3),  # a chain of 25 transitions multiplies what float32 leaves
    (r"^step\d+\.std$", 1e-4),  # an exponential of what the network answers
    (r"timestep_embedding", 1e-4),  # angles reach 999 rad, where neighbouring float32 numbers are 6e-5 apart
)
"""How far float32 may be from an output, in its largest value, where the manifest does not say."""


@cache
def tensors(name: str) -> dict[str, Tensor]:
    """All tensors of a file, always the same objects."""
    return load_file(FOLDER / f"{name}.safetensors")


@cache
def layouts() -> dict[str, Any]:
    """The names, shapes and counts of the full-size weights."""
    return json.loads((FOLDER / "STATE_DICT_LAYOUTS.json").read_text(encoding="utf-8"))


def recorded(name: str, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a file whose names begin with the prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors(name).items() if key.startswith(prefix)}


def allowed(name: str, output: str) -> float:
    """Four times what float32 costs the reference itself, or 1e-5 of the largest value where that is more.

    Where the manifest has no tolerance of the output, by its own name or that of another like it, the second alone, or
    a share of its own from `SHARES`.
    """
    listed = MANIFEST[f"{name}.safetensors"].get("tolerance_f32_vs_f64", {})
    alike = (re.sub(pattern, other, output) for pattern, other in LIKE if re.search(pattern, output))
    for key in (output, *alike):
        if key in listed:
            error, largest = listed[key]
            return max(4 * error, SHARE * largest)
    share = next((share for pattern, share in SHARES if re.search(pattern, output)), SHARE)
    return share * float(tensors(name)[output].double().abs().max())


def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    """max |ours − theirs|; shapes must agree, so that nothing is compared by broadcasting."""
    assert ours.shape == theirs.shape
    return float((ours.detach().double() - theirs.double()).abs().max())
