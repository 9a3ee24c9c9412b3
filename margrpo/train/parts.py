"""The components that make up one method of learning, as the update sees them."""

from margrpo.contracts import Estimator, Leash, Objective, Replay, Selector, Weighting
from margrpo.declare import record


@record
class Method:
    """How a rollout becomes a gradient; `rows` is how many head evaluations are back-propagated at once."""

    selector: Selector
    estimator: Estimator
    weighting: Weighting
    objective: Objective
    replay: Replay
    leash: Leash
    rows: int = 8192
