"""The figures of a measurement, and the peaks of the machine to compare them with."""

from typing import Any

import torch

from margrpo.declare import record
from margrpo.evaluate.measure import Cost, matmul_peak
from margrpo.train.assemble import Session


@record
class Peaks:
    """FLOPs per second of large matrix products: in float32, and in the type of the backbone."""

    head: float
    backbone: float

    @classmethod
    def of(cls, session: Session) -> "Peaks":
        """Measure the peaks on the session's device."""
        device, dtype = session.pipeline.device, session.pipeline.dtype
        head = matmul_peak(device)
        return cls(head, head if dtype == torch.float32 else matmul_peak(device, dtype))

    def share(self, part: str, seconds: float, flops: float) -> float:
        """The share of the peak that `part` reached."""
        peak = self.backbone if part.startswith("backbone") else self.head
        return flops / peak / seconds if seconds else 0.0


@record
class Figures:
    """A cost with the shares of the peak that it reached, on the whole and by part."""

    cost: Cost
    peaks: Peaks

    @property
    def peak_share(self) -> float:
        """Seconds that the matrix products take at the peak, divided by the measured seconds."""
        return (
            sum(self.peaks.share(part, *both) * both[0] for part, both in self.cost.parts.items()) / self.cost.seconds
        )

    def as_dict(self) -> dict[str, Any]:
        """A dictionary for a JSON file."""
        parts = {
            name: {"seconds": seconds, "flops": flops, "peak_share": self.peaks.share(name, seconds, flops)}
            for name, (seconds, flops) in self.cost.parts.items()
        }
        return {
            "seconds": self.cost.seconds,
            "flops": self.cost.flops,
            "peak_share": self.peak_share,
            "peak_bytes": self.cost.peak_bytes,
            "parts": parts,
        }
