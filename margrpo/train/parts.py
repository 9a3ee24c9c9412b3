"""The components that make up one method of learning, as the update sees them."""

from collections.abc import Callable, Sequence

from margrpo.contracts import Estimator, Leash, Objective, Replay, Selector, Weighting
from margrpo.declare import record
from margrpo.train.budget import ROOMY, Budget


@record
class Method:
    """How a rollout becomes a gradient, how much of it at once, and the sum of counts over all processes."""

    selector: Selector
    estimator: Estimator
    weighting: Weighting
    objective: Objective
    replay: Replay
    leash: Leash
    budget: Budget = ROOMY
    total: Callable[[Sequence[int]], Sequence[int]] = list
