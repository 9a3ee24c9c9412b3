"""The conformance kit: every promise that a component makes to the rest, as checks that anybody can run.

```python
from margrpo.testing import every_check


@every_check(plugin="my-plugin")
def test_it_keeps_every_promise(check):
    check()
```
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from margrpo.plugin.registry import Registry
from margrpo.records import Prompt
from margrpo.testing import small
from margrpo.testing.conformance.every import Promise, cases
from margrpo.testing.conformance.subject import BreachError, Examples, NotApplicable, Subject, claim

__all__ = ["BreachError", "NotApplicable", "Promise", "Subject", "cases", "claim", "every_check"]


def every_check(
    plugin: str | ModuleType | None = None,
    *,
    examples: Examples | None = None,
    prompts: Sequence[str | Prompt] = small.TEXTS,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a test of one argument, `check`, a case for each check of each component of a plugin.

    A plugin is named, by its own name or its distribution's, or given as its module, which need not be installed then.
    Ids are like reward.mine-leaves_global_rng_alone, so that `pytest -k` finds them. A check that says nothing of a
    component is skipped with the reason. For `examples` and `prompts` see `cases`.
    """
    import pytest

    among = None
    if isinstance(plugin, ModuleType):
        among, plugin = alone(plugin), plugin.__name__

    def called(case: Promise) -> Callable[[], None]:
        def check() -> None:
            try:
                case()
            except NotApplicable as reason:
                pytest.skip(str(reason))

        return check

    every = [
        pytest.param(called(case), id=case.id)
        for case in cases(plugin, examples=examples, prompts=prompts, among=among)
    ]
    return pytest.mark.parametrize("check", every)


def alone(module: ModuleType) -> Registry:
    """A registry of our own components and those of one plugin, which must be sound."""
    made = Registry()
    made.register(module, module.__name__)
    for failure in made.failures:
        raise AssertionError(str(failure))
    return made
