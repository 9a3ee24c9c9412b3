from collections.abc import Callable

import margrpo_example
from margrpo_example.bag import Bag

from margrpo.testing import every_check, small

made = small.policy()
EXAMPLES = {"policy.bag": Bag(conditioner=made.conditioner, parameterization=made.parameterization)}


@every_check(margrpo_example, examples=EXAMPLES)
def test_it_keeps_every_promise(check: Callable[[], None]) -> None:
    check()
