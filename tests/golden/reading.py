"""Numbers recorded from published code; MANIFEST.json says from which, and how far float32 may be from them."""

import json
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent
MANIFEST = json.loads((FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))


def recorded(name: str, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a file whose names begin with the prefix, without it."""
    tensors = load_file(FOLDER / f"{name}.safetensors")
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def allowed(name: str, output: str) -> float:
    """Four times what float32 costs the reference itself, or 1e-5 of the largest value where that is more."""
    error, largest = MANIFEST[f"{name}.safetensors"]["tolerance_f32_vs_f64"][output]
    return max(4 * error, 1e-5 * largest)


def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    """max |ours − theirs|; shapes must agree, so that nothing is compared by broadcasting."""
    assert ours.shape == theirs.shape
    return float((ours.detach().double() - theirs.double()).abs().max())
