import re
from pathlib import Path

import pytest

from margrpo.errors import RunError
from margrpo.run_folder import POLICY, RunFolder, by_step

ROOT = Path(__file__).parents[1]
NAMES = re.compile(
    r'"(recipe\.toml|versions\.json|metrics\.jsonl|log\.jsonl|summary\.json|policy\.safetensors|report\.html|'
    r'before_after\.png|checkpoints|skipped|final)"|f"(step|maps)-\{'
)
ELSEWHERE = {
    "cli/commands/evaluate.py": {"report.html"},  # the page of an evaluation
    "report/page.py": {"report.html"},  # the template
    "report/charts.py": {"skipped"},  # a figure
    "train/step.py": {"skipped"},
    "train/loop.py": {"skipped"},
    "train/run/figures.py": {"skipped"},
    "train/watch/health.py": {"skipped"},
    "testing/conformance/checks/run.py": {"skipped"},
}
"""Words that are names in a run folder and mean something else in these files."""


def checkpoint(folder: Path, name: str) -> Path:
    place = folder / "checkpoints" / name
    place.mkdir(parents=True)
    (place / POLICY).touch()
    return place


def test_the_newest_complete_checkpoint_is_found(tmp_path: Path) -> None:
    checkpoint(tmp_path, "step-000010")
    newest = checkpoint(tmp_path, "step-000020")
    checkpoint(tmp_path, "step-000030.partial")
    assert RunFolder(tmp_path).newest_checkpoint() == (20, newest)
    assert RunFolder(tmp_path).newest_weights() == newest / POLICY


def test_final_weights_come_before_any_checkpoint(tmp_path: Path) -> None:
    checkpoint(tmp_path, "step-000010")
    files = RunFolder(tmp_path)
    files.final_weights.parent.mkdir()
    files.final_weights.touch()
    assert files.newest_weights() == tmp_path / "final" / "policy.safetensors"


def test_a_run_without_weights_is_refused(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).newest_checkpoint() is None
    with pytest.raises(RunError, match="has made no checkpoint yet; give the recipe itself, or --weights FILE"):
        RunFolder(tmp_path).newest_weights()


def test_files_by_step_are_in_order_and_have_the_ending(tmp_path: Path) -> None:
    files = RunFolder(tmp_path)
    files.images.mkdir()
    for path in (files.image_grid(20), files.image_grid(3), files.map_picture(3), files.before_after):
        path.touch()
    (files.images / "step-x.png").touch()
    assert by_step(files.images, ".png") == {3: files.image_grid(3), 20: files.image_grid(20)}
    assert by_step(tmp_path / "nowhere") == {}


def test_every_path_is_in_the_docs() -> None:
    files = RunFolder(Path("RUN"))
    properties = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    paths = [getattr(files, name) for name in properties]
    paths += [files.image_grid(0), files.map_picture(0), files.map_file(0)]
    page = (ROOT / "docs" / "run_folder.md").read_text(encoding="utf-8")
    for path in paths:
        name = path.relative_to(files.path).as_posix().replace("000000", "NNNNNN")
        assert re.search(rf"`{re.escape(name)}[`/]", page), name


def test_the_layout_is_written_down_in_one_file() -> None:
    found = {}
    for path in sorted((ROOT / "margrpo").rglob("*.py")):
        name = path.relative_to(ROOT / "margrpo").as_posix()
        words = {match[1] or match[0] for match in NAMES.finditer(path.read_text(encoding="utf-8"))}
        if name != "run_folder.py" and (left := words - ELSEWHERE.get(name, set())):
            found[name] = left
    assert not found


def test_a_folder_of_an_earlier_margrpo_is_refused_in_a_sentence(tmp_path: Path) -> None:
    RunFolder(tmp_path).refuse_of_before()
    (tmp_path / "said.jsonl").touch()
    with pytest.raises(RunError, match="was written by an earlier margrpo, whose run folders this one does not read"):
        RunFolder(tmp_path).refuse_of_before()
