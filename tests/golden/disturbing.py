"""Whether the golden tests look: each recorded number is changed by ten times what is allowed, and a test must fail.

    python -m tests.golden.disturbing            the largest number of a few outputs of every file
    python -m tests.golden.disturbing --all      three numbers of every output of every file: minutes
    python -m tests.golden.disturbing vae ddpm   every output of these files

Prints what no test noticed. Everything runs in one process: the tests marked `golden(NAME)` are collected once, then
run again and again while the tensors that `recorded` gave them hold other numbers.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from _pytest.runner import runtestprotocol
from torch import Tensor

from tests.golden.reading import FOLDER, allowed, layouts, tensors

TESTS = FOLDER.parent
LAYOUTS = "STATE_DICT_LAYOUTS"
FEW = 2
INPUTS = {
    r"(?!margrpo_loss).*": r"in\.",
    r".*": r"(state_dict|policy|ref)\.|.*\.(init_noise|step_noise)$",
    "ddpm": r".*\.(pmv\.(t|x|model_output)|ps\.noise|c|x_T|noise)$",
    "logp_ddpm": r".*\.z_(cond|null)$|elementwise\.(x|mean|std)$",
    "logp_flow_sde": r".*\.(index|v|x|noise|prev_given)$",
    # A batch of equal rewards is reported by the release as one of -1; the library says what it is.
    "group_advantages": r".*\.rewards_per_func$|allconst\.geneval\.rewards$",
    "margrpo_loss": r"in\.(?!advantages)|(step|seed)\d+\.(xt|xt_prev|x0|tokens|mask_\w+)$",
}
"""By file, the tensors that tests start from rather than arrive at."""


def files() -> list[str]:
    """The names of all files of recorded numbers."""
    return [*sorted(path.stem for path in FOLDER.glob("*.safetensors")), LAYOUTS]


def outputs(name: str) -> list[str]:
    """The recorded outputs of a file."""
    if name == LAYOUTS:
        sized = {model: table for model, table in layouts().items() if "params" in table}
        return [f"{model}.{key}" for model, table in sized.items() for key in table if key != "readme_cfg"]
    given = [pattern for of, pattern in INPUTS.items() if re.fullmatch(of, name)]
    return [key for key in tensors(name) if not any(re.match(pattern, key) for pattern in given)]


def places(value: Tensor, every: bool) -> list[int]:
    """Where a tensor is changed: at its largest number, or also at the first and the last."""
    largest = int(value.flatten().double().abs().argmax())
    return sorted({0, largest, value.numel() - 1}) if every else [largest]


@contextmanager
def changed(name: str, key: str, place: int) -> Iterator[None]:
    """One number is another: by ten times what is allowed, by one where it counts, turned over where it is a mark."""
    if name == LAYOUTS:
        with relaid(*key.split(".")):
            yield
        return
    flat = tensors(name)[key].view(-1)
    before = flat[place].clone()
    step = 10 * (allowed(name, key) or 1e-5) if flat.is_floating_point() else 1
    flat[place] = 1 - before if flat.dtype == torch.uint8 else before + step
    try:
        yield
    finally:
        flat[place] = before


@contextmanager
def relaid(model: str, key: str) -> Iterator[None]:
    """One count of the layouts is one more; of the tensors, the first size of the last."""
    table = layouts()[model]
    where, what = (list(table[key].values())[-1], 0) if key == "state_dict" else (table, key)
    where[what] += 1
    try:
        yield
    finally:
        where[what] -= 1


class Disturbing:
    """A pytest plugin that runs the collected golden tests under every change, and before that as they are.

    A `few` changes are made beside the other tests, which run them as they are already.
    """

    def __init__(self, names: Sequence[str], *, every: bool, few: bool):
        self.names, self.every, self.few = names, every, few
        self.unnoticed: list[str] = []
        self.changes = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In the place of pytest's own loop."""
        for name in self.names:
            items = [item for item in session.items if any(name in m.args for m in item.iter_markers("golden"))]
            if not items:
                self.unnoticed.append(f"{name}: no test is marked golden({name!r})")
            failing = [item.nodeid for item in items if not self.few and not passes(item)]
            if failing:
                raise pytest.UsageError(f"fails before any number is changed: {', '.join(failing)}")
            self.disturb(name, items)
        return True

    def disturb(self, name: str, items: list[pytest.Item]) -> None:
        """Every change of one file."""
        keys = outputs(name)
        for key in keys[:: max(1, len(keys) // FEW)] if self.few else keys:
            value = torch.zeros(1) if name == LAYOUTS else tensors(name)[key]
            for place in places(value, self.every):
                with changed(name, key, place):
                    noticed = next((item for item in items if not passes(item)), None)
                self.changes += 1
                if noticed is None:
                    self.unnoticed.append(f"{name}: {key}[{place}]")
                else:  # what noticed this change is likely to notice the next
                    items.insert(0, items.pop(items.index(noticed)))


def passes(item: pytest.Item) -> bool:
    """Run one test, quietly."""
    return all(report.passed for report in runtestprotocol(item, log=False, nextitem=None))


def disturb(names: Sequence[str], *, every: bool = False, few: bool = False) -> Disturbing:
    """Collect the golden tests and run them under every change."""
    plugin = Disturbing(names, every=every, few=few)
    marked = [path for path in sorted(TESTS.rglob("test_*.py")) if "mark.golden(" in path.read_text(encoding="utf-8")]
    code = pytest.main(["-q", "--no-header", "-m", "golden", "-p", "no:cacheprovider", *map(str, marked)], [plugin])
    if code != pytest.ExitCode.OK:
        raise SystemExit(int(code))
    return plugin


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if word != "--all"]
    done = disturb(asked or files(), every="--all" in sys.argv, few=len(sys.argv) == 1)
    report = [f"\n{done.changes} changes, {len(done.unnoticed)} unnoticed", *done.unnoticed]
    sys.stdout.write("\n".join(report) + "\n")
    raise SystemExit(bool(done.unnoticed))
