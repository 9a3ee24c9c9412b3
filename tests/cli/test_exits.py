from pathlib import Path

import pytest
import torch
import typer

from margrpo.cli.exits import with_error_report
from margrpo.errors import RecipeError
from tests.cli.command import process


def raising(error: BaseException) -> int:
    @with_error_report
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        command()
    return int(caught.value.exit_code)


def test_each_problem_of_a_recipe_is_a_line_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    problem = "run.steps = [1, 2] must be a whole number, not an array, in a line longer than terminals are wide"
    assert raising(RecipeError("x.toml", [problem, "b is wrong"])) == 2
    assert capsys.readouterr().err == f"error: x.toml: {problem}\nerror: x.toml: b is wrong\n"


def test_an_unforeseen_trouble_is_one_sentence_and_its_traceback_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert raising(ZeroDivisionError("division [bold]by[/bold] zero")) == 1
    (file,) = tmp_path.iterdir()
    said = f"error: ZeroDivisionError: division [bold]by[/bold] zero; this is unexpected, the traceback is in {file}\n"
    assert capsys.readouterr().err == said
    assert "Traceback" in file.read_text()
    assert "raise error" in file.read_text()


def test_a_gpu_without_enough_memory_is_a_sentence_with_what_to_lower(capsys: pytest.CaptureFixture[str]) -> None:
    torchs = "CUDA out of memory. Tried to allocate 50.00 MiB. GPU 0 has a total capacity of 79.18 GiB of which"
    assert raising(torch.OutOfMemoryError(torchs)) == 2
    assert capsys.readouterr().err == (
        "error: the GPU's memory is not enough: lower run.budget, prompts.prompts, prompts.group, run.eval_prompts or "
        "run.held_out; `margrpo plan` shows what needs how much (CUDA out of memory. Tried to allocate 50.00 MiB)\n"
    )


def test_ctrl_c_ends_with_the_code_that_shells_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_an_exit_keeps_its_code_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(typer.Exit(7)) == 7
    assert capsys.readouterr().err == ""


def test_a_closed_pipe_is_no_trouble_of_ours() -> None:
    @with_error_report
    def command() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        command()


SCRIPT = """
import sys
from margrpo.cli.exits import exit_without_finalising
print("said", end="")
exit_without_finalising(lambda: sys.exit({}))
"""


@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize(("code", "found"), [("0", 0), ("75", 75), ("None", 0), ("'a trouble'", 1)])
def test_a_process_ends_with_its_code_and_all_that_it_said(count: str, code: str, found: int) -> None:
    done = process("-c", SCRIPT.format(code), WORLD_SIZE=count)
    assert (done.returncode, done.stdout) == (found, "said")
