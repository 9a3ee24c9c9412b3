from collections.abc import Callable
from types import ModuleType

import pytest

from margrpo import Entry, hookimpl
from margrpo.records import Prompt
from margrpo.testing import every_check
from margrpo.testing.conformance import alone, cases

MARKED = ModuleType("marked")
MARKED.margrpo_components = hookimpl(lambda: [Entry("reward.marked", "tests.testing.marked:Marked", "a mark")])
PROMPTS = [Prompt("good", metadata={"mark": 1.0}), Prompt("bad", metadata={"mark": 0.0})]


@every_check(MARKED, prompts=PROMPTS)
def test_a_reward_that_reads_metadata_is_held_to_its_promises_on_prompts_that_have_some(
    check: Callable[[], None],
) -> None:
    check()


def test_without_such_prompts_it_is_told_apart() -> None:
    (case,) = [case for case in cases("marked", among=alone(MARKED)) if case.check.__name__ == "gives_the_same_again"]
    with pytest.raises(KeyError, match="mark"):
        case()
