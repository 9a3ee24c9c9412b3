"""A timer of the parts of a step."""

import sys
from time import perf_counter

import torch


class Timer:
    """Seconds of each part, measured until the device has finished it; parts of one name add up."""

    def __init__(self, device: str):
        self.cuda = torch.device(device).type == "cuda"
        self.seconds: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """Begin a part; time since the end of the last part does not count."""
        self.began = perf_counter()

    def lap(self, part: str) -> None:
        """End `part`, and begin the next one."""
        if self.cuda:
            torch.cuda.synchronize()
        self.add(part, perf_counter() - self.began)
        self.start()

    def add(self, part: str, seconds: float) -> None:
        """Add `seconds` to a part."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds


class _NoTimer(Timer):
    """A timer that neither measures nor waits."""

    def __init__(self) -> None:
        super().__init__("cpu")

    def lap(self, part: str) -> None:
        """Do nothing: time is not measured."""


NO_TIMER = _NoTimer()


def most_held(device: str) -> int:
    """Peak bytes that torch held on a GPU since the last call; on a CPU the peak of the process."""
    if torch.device(device).type == "cuda":
        most = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return most
    if sys.platform == "win32":
        return 0  # nobody counts it there
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # of what Unix calls the largest resident set
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
