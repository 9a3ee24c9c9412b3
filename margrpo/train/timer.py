"""Where the time of a step goes: a clock that is stopped at the end of each part."""

import sys
from time import perf_counter

import torch


class Timer:
    """Seconds of each part, ended only when the device has done its work; parts of one name add up."""

    def __init__(self, device: str):
        self.cuda = torch.device(device).type == "cuda"
        self.seconds: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """Begin anew; what has passed since the last part ended is left out."""
        self.began = perf_counter()

    def lap(self, part: str) -> None:
        """End a part, and begin the next."""
        if self.cuda:
            torch.cuda.synchronize()
        self.add(part, perf_counter() - self.began)
        self.start()

    def add(self, part: str, seconds: float) -> None:
        """Count the seconds of a part."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds


class _NoTimer(Timer):
    """Measures nothing and waits for nothing."""

    def __init__(self) -> None:
        super().__init__("cpu")

    def lap(self, part: str) -> None:
        """Nothing."""


NO_TIMER = _NoTimer()


def most_held(device: str) -> int:
    """The most bytes that torch held on a GPU since this was last asked; else the most that the process ever held."""
    if torch.device(device).type == "cuda":
        most = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return most
    if sys.platform == "win32":
        return 0  # nobody counts it there
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # of what Unix calls the largest resident set
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
