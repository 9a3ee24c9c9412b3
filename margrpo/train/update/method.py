"""The components that make up a method of learning, as the update sees them."""

from margrpo.contracts import Estimator, Objective, Processes, Regularizer, Replay, Selector, Weighting
from margrpo.declare import record
from margrpo.distributed.single import SingleProcess
from margrpo.train.update.budget import ROOMY, Budget

ALONE = SingleProcess()


@record
class Method:
    """The components and settings by which a rollout becomes a gradient.

    - `budget`: memory that the graphs of an update may take.
    - `processes`: the process group that counts are summed over.
    """

    selector: Selector
    estimator: Estimator
    weighting: Weighting
    objective: Objective
    replay: Replay
    regularizer: Regularizer
    budget: Budget = ROOMY
    processes: Processes = ALONE
