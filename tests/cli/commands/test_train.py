import json
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from margrpo.cli.commands.train import STOPPING
from margrpo.run_folder import RunFolder
from tests.cli.command import QUICKSTART, ROOT, TINY, run, setting
from tests.waiting import started, wait_for


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two steps, whose learning rate does not depend on how many there are."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = run("train", QUICKSTART, *setting(*TINY, "optimizer.last=1.0"), "--out", folder, "--seed", "5")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def trained(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return shutil.copytree(finished, tmp_path / "run")


def test_a_run_trains_and_says_where_everything_is(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run("train", QUICKSTART, *setting(*TINY), "--out", folder)
    assert done.exit_code == 0, done.output
    for file in ("summary.json", "images/before_after.png", "final/policy.safetensors"):
        assert (folder / file).is_file()
        assert str(folder / file) in done.stdout
    assert "95 % interval" in done.stdout
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_run_goes_on_from_its_folder_alone_and_ends_as_if_it_had_never_stopped(trained: Path, tmp_path: Path) -> None:
    before = load_file(trained / "final" / "policy.safetensors")
    done = run("resume", trained, "--set", "run.steps=3", "--allow-change", "run.steps")
    assert done.exit_code == 0, done.output
    assert json.loads((trained / "summary.json").read_text())["steps"] == 3
    run(
        "train",
        QUICKSTART,
        *setting(*TINY, "optimizer.last=1.0", "run.steps=3", "run.seed=5"),
        "--out",
        tmp_path / "whole",
    )
    ours, theirs = (load_file(folder / "final" / "policy.safetensors") for folder in (trained, tmp_path / "whole"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert any((ours[name] != before[name]).any() for name in theirs)


def test_a_folder_that_holds_another_run_is_not_written_over(trained: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in trained.rglob("*") if file.is_file() and file.name != ".lock"}
    done = run("train", QUICKSTART, *setting(*TINY, "optimizer.last=1.0", "sampler.temperature=0.9"), "--out", trained)
    assert done.exit_code == 2
    assert done.stderr == (
        f"error: {trained}: was begun with another recipe: run.seed = 5, now 0; sampler.temperature = 1.0, now 0.9; go "
        f"on with its own (margrpo resume {trained}), choose another --out, or allow it (--allow-change run.seed "
        "--allow-change sampler.temperature)\n"
    )
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_what_decides_no_number_may_change(trained: Path) -> None:
    done = run("resume", trained, *setting("run.save_every=7", "title=anew", "run.keep_last=1"))
    assert done.exit_code == 0, done.output


def test_seed_is_short_for_a_set(finished: Path) -> None:
    assert "seed = 5" in (finished / "recipe.toml").read_text()


def test_only_the_folder_of_a_run_can_be_resumed(tmp_path: Path) -> None:
    done = run("resume", QUICKSTART)
    assert done.exit_code == 2
    assert done.stderr == (
        f"error: {QUICKSTART}: is not a folder; give the folder of a run, or begin one with `margrpo train`\n"
    )
    done = run("resume", tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {tmp_path}: is a folder without a recipe.toml")


def test_each_recipe_is_sent_to_its_own_command() -> None:
    base = str(ROOT / "recipes" / "shapes_base.toml")
    assert "use `margrpo pretrain`" in run("train", base).stderr
    assert "use `margrpo train`" in run("pretrain", QUICKSTART, *setting(*TINY)).stderr


def test_pretraining_writes_weights_that_training_can_begin_from(tmp_path: Path) -> None:
    base, folder = str(ROOT / "recipes" / "shapes_base.toml"), tmp_path / "base"
    tiny = ("run.steps=2", "run.batch=4", "run.held_out=4", "run.eval_prompts=4")
    done = run("pretrain", base, *setting(*tiny), "--out", folder)
    assert done.exit_code == 0, done.output
    file = folder / "final" / "policy.safetensors"
    assert str(file) in done.stdout
    begun = setting(*TINY[2:], f'policy.checkpoint="{file}"', f'codec.checkpoint="{file}"')
    assert run("train", QUICKSTART, *begun, "--out", tmp_path / "run").exit_code == 0


def test_ctrl_c_stops_after_the_step_with_a_checkpoint_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    lines = 'tracker=[{use="console", every=1}]'
    words = ["train", QUICKSTART, *setting(*TINY, "run.steps=500", lines), "--out", str(folder)]
    with started([sys.executable, "-m", "margrpo", *words], cwd=ROOT) as process:
        assert any(line.startswith("step 2/") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    *_, checkpoint = sorted((folder / "checkpoints").iterdir())
    step = int(checkpoint.name.removeprefix("step-"))
    assert said.splitlines()[-1] == (f"stopped; the run can go on from step {step} of 500: margrpo resume '{folder}'")


def test_a_run_that_is_out_of_time_stops_with_a_checkpoint_and_a_code_of_its_own(tmp_path: Path) -> None:
    words = ["train", QUICKSTART, *setting(*TINY, "run.steps=9"), "--out", tmp_path / "run"]
    done = run(*words, "--stop-after", "0s")
    assert done.exit_code == 75, done.output
    assert done.stderr.splitlines()[-1] == (
        f"stopped; the run can go on from step 1 of 9: margrpo resume {tmp_path / 'run'}"
    )
    assert run(*words, "--stop-after", "soon").exit_code == 2


def reached(run: Path) -> int:
    """The step of the newest checkpoint, 0 without one."""
    return (RunFolder(run).newest_checkpoint() or (0,))[0]


def test_sigterm_ends_the_step_and_a_second_one_leaves_at_once(tmp_path: Path) -> None:
    words = ["train", QUICKSTART, *setting(*TINY, "run.steps=500", "run.save_every=1"), "--out", str(tmp_path / "run")]
    for twice in (False, True):
        begun = reached(tmp_path / "run")
        with started([sys.executable, "-m", "margrpo", *words], cwd=ROOT) as process:
            wait_for(lambda: reached(tmp_path / "run") > begun, "a checkpoint")  # noqa: B023
            process.send_signal(signal.SIGTERM)
            assert any(STOPPING in line for line in process.stderr)
            if twice:
                process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
        assert process.returncode == 75, said
        assert "Traceback" not in said
        assert "the run can go on from step " in said.splitlines()[-1]


def test_a_run_goes_on_with_another_recipe_only_where_that_is_allowed(trained: Path) -> None:
    more = setting("weighting.use=density", "run.steps=3")
    done = run("resume", trained, *more, "--allow-change", "run.steps")
    assert done.exit_code == 2
    assert 'was begun with another recipe: weighting.use = "variance", now "density"; go on' in done.stderr
    assert 'use = "variance"' in (trained / "recipe.toml").read_text()
    done = run("resume", trained, *more, "--allow-change", "run.steps", "--allow-change", "weighting")
    assert done.exit_code == 0, done.output
    assert 'use = "density"' in (trained / "recipe.toml").read_text()


def test_a_finished_run_tells_its_summary_again(trained: Path) -> None:
    before = (trained / "summary.json").read_text()
    done = run("resume", trained)
    assert done.exit_code == 0, done.output
    assert (trained / "summary.json").read_text() == before
    assert "95 % interval" in done.stdout


def test_a_finished_run_whose_checkpoints_were_removed_is_finished(trained: Path) -> None:
    shutil.rmtree(trained / "checkpoints")
    before = (trained / "metrics.jsonl").read_text()
    assert run("resume", trained).exit_code == 0
    assert (trained / "metrics.jsonl").read_text() == before


def test_the_summary_of_an_earlier_end_is_not_taken_for_the_last_one(trained: Path) -> None:
    stale = json.loads((trained / "summary.json").read_text()) | {"steps": 1}
    (trained / "summary.json").write_text(json.dumps(stale))
    assert run("resume", trained).exit_code == 0
    assert json.loads((trained / "summary.json").read_text())["steps"] == 2


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (["attention.use=xformers"], 'attention.use = "xformers" needs a CUDA device'),
        (["run.device=cuda:7"], 'run.device = "cuda:7": torch does not find this device'),
        (
            ["policy.heads=8", "policy.weights=ema", "policy.width=64"],
            "fit",
        ),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="the refusals are those of a machine without CUDA")
def test_what_this_machine_cannot_do_is_refused_and_nothing_is_written(
    sets: list[str], sentence: str, tmp_path: Path
) -> None:
    done = run("train", QUICKSTART, *setting(*TINY, *sets), "--out", tmp_path / "run")
    assert done.exit_code == 2, done.output
    assert sentence in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("unknown", ["a pink circle", "a round circle"])
def test_a_prompt_that_the_policy_cannot_read_is_refused_before_training(unknown: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a circle\na square\na cross\na red circle\na red cross\n" + unknown + "\n")
    lines = f"prompts={{use='lines', path='{tmp_path}/prompts.txt', held_out_share=0.5, prompts=1, group=2}}"
    sets = [*TINY[:2], lines, "run.steps=40", "run.held_out=2", "run.eval_prompts=2"]
    done = run("train", QUICKSTART, *setting(*sets), "--out", tmp_path / "run")
    assert done.exit_code == 2, done.output
    assert f"error: prompt '{unknown}': the policy does not know" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_prompt_file_that_is_missing_fails_the_check(tmp_path: Path) -> None:
    lines = f"prompts={{use='lines', path='{tmp_path}/none.txt'}}"
    done = run("recipes", "check", QUICKSTART, *setting(lines))
    assert done.exit_code == 2
    assert "none.txt" in done.stderr
