import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.golden.disturbing import changed, files, outputs, places
from tests.golden.reading import FOLDER, MANIFEST, allowed, layouts, recorded

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_golden_file_is_held_by_a_test_that_fails_when_a_number_is_off_by_ten_times_the_tolerance():
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden.disturbing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "JAXTYPING_DISABLE": "1"},  # a number that is off has the shape that it had
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " changes, 0 unnoticed" in done.stdout


def test_every_file_is_described_and_holds_outputs():
    assert {name.removesuffix(".safetensors") for name in MANIFEST if not name.startswith("_")} == set(files()[:-1])
    assert {path.name for path in FOLDER.glob("*.json")} == {"MANIFEST.json", "STATE_DICT_LAYOUTS.json"}
    assert all(outputs(name) for name in files())


def test_a_change_is_seen_by_who_read_the_file_before_and_is_taken_back():
    name, key = "mlp_head", "out.forward"
    read = recorded(name)[key]
    before, (place,) = read.clone(), places(read, every=False)
    with changed(name, key, place):
        off = read - before
        assert torch.count_nonzero(off) == 1
        assert float(off.flatten()[place]) == pytest.approx(10 * allowed(name, key), rel=0.01)
    assert torch.equal(read, before)


def test_marks_are_turned_over_and_counts_are_one_more():
    run, step = "mar_sampling_s16_cfg1_linear_T25_iter4_temp1", "step00.mask_in"
    with changed(run, step, 0):
        assert int(recorded(run)[step][0, 0]) == 0
    with changed("mar_mask_len", "iter8_seq16.n_pred", 0):
        assert int(recorded("mar_mask_len")["iter8_seq16.n_pred"][0]) == 2
    with changed("STATE_DICT_LAYOUTS", "vae_kl16.state_dict", 0):
        assert layouts()["vae_kl16"]["state_dict"]["post_quant_conv.bias"] == [17]
    assert int(recorded(run)[step][0, 0]) == 1
    assert layouts()["vae_kl16"]["state_dict"]["post_quant_conv.bias"] == [16]


def test_what_tests_start_from_is_no_output():
    kinds = {key.split(".")[0] for key in outputs("mar_backbone_s16")}
    assert kinds == {"out"}
    assert not any("noise" in key for name in files()[:-1] for key in outputs(name))
    assert "shift1.sigmas" in outputs("logp_flow_sde")
    assert "shift1.v" not in outputs("logp_flow_sde")


def test_a_tolerance_is_that_of_the_output_or_of_another_like_it_or_a_share_of_the_largest_value():
    assert allowed("mlp_head", "out.forward") == allowed("mlp_head", "forward") == pytest.approx(1.27e-5)
    assert allowed("ddpm", "T25.pmv.mean") == pytest.approx(0.0398)
    theirs = recorded("mar_backbone_s16")["out.grad_z"]
    assert allowed("mar_backbone_s16", "out.grad_z") == pytest.approx(1e-5 * float(theirs.abs().max()))
