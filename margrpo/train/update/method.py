"""The components that make up one method of learning, as the update sees them."""

from margrpo.contracts import Estimator, Objective, Processes, Regularizer, Replay, Selector, Weighting
from margrpo.declare import record
from margrpo.distributed.single import SingleProcess
from margrpo.train.update.budget import ROOMY, Budget

ALONE = SingleProcess()


@record
class Method:
    """How a rollout becomes a gradient.

    - `budget`: how much of an update is done at once.
    - `processes`: over which counts are summed.
    """

    selector: Selector
    estimator: Estimator
    weighting: Weighting
    objective: Objective
    replay: Replay
    regularizer: Regularizer
    budget: Budget = ROOMY
    processes: Processes = ALONE
