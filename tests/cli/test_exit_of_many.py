import pytest

from tests.cli.command import process

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
