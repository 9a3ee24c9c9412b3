"""The run's own state that survives a restart, besides weights, the optimizer and run state of components."""

from dataclasses import dataclass, field


@dataclass
class RunMemory:
    """Numbers of the loop that a checkpoint holds.

    - `before`: held-out scores before training, one for each prompt; None until they are measured.
    - `seconds`: time that the run has taken so far.
    - `norms`: gradient norms of the last updates.
    - `skipped`: steps in a row whose update was skipped.
    """

    before: list[float] | None = None
    seconds: float = 0.0
    norms: list[float] = field(default_factory=list)
    skipped: int = 0
