"""The conformance kit: every promise that a component makes to the rest, as checks that anybody can run.

```python
from margrpo.testing import every_check


@every_check(plugin="my-plugin")
def test_it_keeps_every_promise(check):
    check()
```
"""

from collections.abc import Callable, Sequence
from typing import Any

from margrpo.testing import small
from margrpo.testing.conformance.every import Case, cases
from margrpo.testing.conformance.subject import BreachError, Examples, NotApplicable, Subject, claim

__all__ = ["BreachError", "Case", "NotApplicable", "Subject", "cases", "claim", "every_check"]


def every_check(
    plugin: str | None = None, *, examples: Examples | None = None, texts: Sequence[str] = small.TEXTS
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a test of one argument, `check`, a case for each check of each component of a plugin.

    Ids are like reward.mine-leaves_global_rng_alone, so that `pytest -k` finds them. A check that says nothing of a
    component is skipped with the reason. For `examples` and `texts` see `cases`.
    """
    import pytest

    def called(case: Case) -> Callable[[], None]:
        def check() -> None:
            try:
                case()
            except NotApplicable as reason:
                pytest.skip(str(reason))

        return check

    every = [pytest.param(called(case), id=case.id) for case in cases(plugin, examples=examples, texts=texts)]
    return pytest.mark.parametrize("check", every)
