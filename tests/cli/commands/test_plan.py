import pytest

from margrpo.cli.commands.plan import words
from margrpo.cli.terminal import size
from margrpo.records import Count, fixed
from tests.cli.command import QUICKSTART, RANDOM, ROOT, run, setting


def test_the_plan_of_a_recipe_tells_counts_and_memory() -> None:
    done = run("plan", QUICKSTART, *setting(*RANDOM, "prompts.prompts=3", "prompts.group=4", "timesteps.use=every"))
    assert done.exit_code == 0, done.output
    assert "12 = 3 prompts × 4" in done.stdout
    assert "8, of which 8 are trained on; unknown before each: 16, 15" in done.stdout
    assert "peak" in done.stdout


def test_a_gpu_of_some_size_is_asked_whether_the_peak_fits() -> None:
    done = run("plan", QUICKSTART, *setting(*RANDOM), "--gpu", "24")
    assert "On a GPU of 24 GiB this leaves 2" in done.stdout
    assert "within run.budget" in done.stdout
    done = run("plan", str(ROOT / "recipes" / "mar_huge.toml"), "--gpu", "16")
    assert "It does not fit a GPU of 16 GiB, by" in " ".join(done.stdout.split())


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_the_plan_is_wider_than_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    sets = setting(*RANDOM, "estimator.use=multi_trajectory", "guidance.weight=2.0")
    lines = run("plan", QUICKSTART, *sets).stdout.splitlines()
    assert max(map(len, lines)) <= width


def test_a_recipe_that_does_not_fit_is_refused_with_the_nearest_that_does() -> None:
    done = run("plan", QUICKSTART, *setting(*RANDOM, "unmasking.steps=17"))
    assert done.exit_code == 2
    assert "set it to 16 or less" in done.stderr


def test_a_count_is_told_as_it_is_known() -> None:
    assert words(fixed(1234)) == "1,234"
    assert words(Count(2000, 1234.5)) == "1,234 on average, at most 2,000"
    assert words(Count(2000, None)) == "at most 2,000"


def test_sizes_have_three_figures_and_a_unit() -> None:
    assert [size(count) for count in (0, 999, 1490000, 15.04e9)] == ["0 B", "999 B", "1.49 MB", "15 GB"]
