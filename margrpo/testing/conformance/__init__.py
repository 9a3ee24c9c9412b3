"""The conformance kit: the promises of every kind of component, as checks that anybody can run.

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
    """Parametrize a test of one argument, `check`, by each check of each component of a plugin.

    - `plugin`: name of the plugin or of its distribution, or its module, which need not be installed.
    - `examples`, `prompts`: see `cases`.

    Ids look like reward.mine-leaves_global_rng_alone, so that `pytest -k` finds them. A check that does not apply to a
    component is skipped with the reason.
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
    """A registry of the built-in components and of one plugin, which must be sound."""
    made = Registry()
    made.register(module, module.__name__)
    for failure in made.failures:
        raise AssertionError(str(failure))
    return made
