import json
import os
import subprocess
import sys
from pathlib import Path

from tests.faults.count import cases

ROOT = Path(__file__).parents[2]


def test_runs_that_are_killed_at_any_instant_end_as_one_that_never_was(tmp_path: Path) -> None:
    kills = cases(4, 50)
    words = ["-m", "tests.faults.kills", "--kills", str(kills), "--out", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)  # noqa: T201  (shown with -s, and where it fails)
    assert found["different"] == []
    assert found["kills"] == found["equal"] == kills
    assert found["while writing"] >= kills // 4
