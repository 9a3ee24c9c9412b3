"""A checkpoint of the public structure at the full size of MAR-L loads; not among the normal tests, for its 4 GB."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

LAYOUTS = json.loads((Path(__file__).parents[1] / "golden" / "STATE_DICT_LAYOUTS.json").read_text(encoding="utf-8"))
LARGE = LAYOUTS["mar_large"]
LOAD = """
import json, sys, time
import torch
from margrpo.components.conditioner import Label
from margrpo.components.attention import Sdpa
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.weights.published_names import published_name

def memory(line):
    status = open("/proc/self/status").read()
    return int(status.split(line + ":")[1].split()[0]) / 1e6

file, weights = sys.argv[1:]
policy = Mar(checkpoint=file, weights=weights, size="large", conditioner=Label(), parameterization=Epsilon())
before, began = memory("VmHWM"), time.perf_counter()
model = policy.build(attention=Sdpa())
told = {"seconds": time.perf_counter() - began, "before": before, "peak": memory("VmHWM"), "anon": memory("RssAnon")}
stored = torch.load(file, weights_only=False, mmap=True)[{"ema": "model_ema", "model": "model"}[weights]]
told["equal"] = all(torch.equal(value, stored[published_name(name)]) for name, value in model.state_dict().items())
told["parameters"] = sum(value.numel() for value in model.parameters())
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`checkpoint-last.pth` with random weights; the moments of its optimizer are all zero and take no room."""
    file, generator = tmp_path_factory.mktemp("full_size") / "checkpoint-last.pth", torch.Generator().manual_seed(0)
    shapes = LARGE["state_dict"]
    state = {
        place: {"step": torch.tensor(1.0), **{key: torch.zeros(()).expand(shape) for key in ("exp_avg", "exp_avg_sq")}}
        for place, shape in enumerate(shapes.values())
    }
    torch.save(
        {
            **{key: {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()} for key in SETS},
            "optimizer": {"state": state, "param_groups": [{"lr": 1e-4, "params": list(state)}]},
            "epoch": 399,
            "scaler": {"scale": 65536.0, "growth_factor": 2.0},
            "args": argparse.Namespace(model="mar_large", diffloss_d=8, diffloss_w=1280, ema_rate=0.9999),
        },
        file,
    )
    yield file
    file.unlink()


SETS = ("model", "model_ema")


@pytest.mark.parametrize("weights", ["ema", "model"])
def test_a_full_size_checkpoint_loads_without_room_for_anything_but_the_model(
    weights: str, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(checkpoint), weights], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told, model = json.loads(done.stdout), 4 * LARGE["params"] / 1e9
    with capsys.disabled():
        print(
            f"\n{weights}: a file of {checkpoint.stat().st_size / 1e9:.2f} GB, a model of {model:.2f} GB; "
            f"{told['seconds']:.1f} s, peak {told['peak']:.2f} GB with the pages of the file, "
            f"{told['anon']:.2f} GB without, {told['before']:.2f} GB before"
        )
    assert told["equal"]
    assert told["parameters"] == LARGE["params"]
    assert told["anon"] < told["before"] + 1.1 * model
    assert told["peak"] < told["before"] + 2.2 * model
