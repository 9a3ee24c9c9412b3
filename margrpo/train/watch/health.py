"""The health of a run: skipped updates and unusual gradient norms."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from margrpo.run_folder import RunFolder
from margrpo.train.outcome import Outcome
from margrpo.train.run.memory import RunMemory
from margrpo.train.run.trackers import Trackers
from margrpo.train.watch import non_finite

HISTORY, FAR = 50, 10.0
"""Number of updates whose gradient norms are remembered, and the multiple of their median that is logged."""


class Health:
    """The unusual events in the steps of a run; state that outlives a restart is in the run's memory."""

    def __init__(self, folder: Path, memory: RunMemory, trackers: Trackers):
        self.folder, self.memory, self.trackers = folder, memory, trackers

    def report(self, step: int, outcome: Outcome) -> None:
        """Log the unusual events of a step, and write a rollout whose numbers are not finite."""
        for sentence in outcome.notes:
            self.trackers.say_of_rank(f"step {step}: {sentence}")
        if outcome.figures["skipped"]:
            self.memory.skipped += 1
            if outcome.spoiled:
                facts = {"step": step, "cause": outcome.cause, "figures": outcome.figures}
                place = non_finite.put_away(self.folder, step, outcome.rollout, facts, self.trackers.rank)
                self.trackers.say_of_rank(
                    f"step {step}: numbers are not finite, and the update is skipped: {outcome.cause}; see {place}"
                )
            return
        self.memory.skipped = 0
        norm = outcome.figures["gradient_norm"]
        if norm:
            sentence = far_off(norm, self.memory.norms)
            self.memory.norms = [*self.memory.norms, norm][-HISTORY:]
            if sentence:
                self.trackers.say(f"step {step}: {sentence}")

    def end(self, step: int, outcome: Outcome, most: int) -> str | None:
        """The reason to end the run after `most` skipped steps in a row; None if the run may go on."""
        if self.memory.skipped < most:
            return None
        return (
            f"numbers were not finite in {self.memory.skipped} steps in a row, the last of them step {step}: "
            f"{outcome.cause}; the rollouts are in {RunFolder(self.folder).skipped}"
        )


def far_off(norm: float, history: Sequence[float]) -> str:
    """A sentence if a gradient norm is far above the median of `history`, else ""."""
    usual = median(history) if len(history) >= HISTORY // 5 else 0.0
    if not usual or norm <= FAR * usual:
        return ""
    return f"the gradient's norm is {norm:.3g}, {norm / usual:.0f} times the median of the last {len(history)} updates"
