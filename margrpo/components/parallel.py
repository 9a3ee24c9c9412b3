"""Over how many processes a run is spread, and how they share the model."""

from margrpo.contracts import Processes
from margrpo.declare import component, positive, setting
from margrpo.errors import ParallelError


@component
class Single:
    """One process."""

    moves_weights = False

    def require(self, processes: int) -> None:
        """Refuse more than one: each would do the whole run, and write over the others."""
        if processes > 1:
            raise ParallelError(
                f'parallel.use = "single", and torchrun has started {processes} processes; set it to "ddp" or "fsdp"'
            )

    def join(self, device: str) -> Processes:
        """Nobody to meet."""
        from margrpo.distributed.single import SingleProcess

        return SingleProcess()


@component
class Ddp:
    """Processes that each hold the whole model and sum their gradients (torch's DistributedDataParallel)."""

    moves_weights = False
    timeout: float = setting(600.0, "seconds that a process waits for the others before the run ends", check=positive)

    def require(self, processes: int) -> None:
        """Any number serves."""

    def join(self, device: str) -> Processes:
        """Meet the processes that torchrun has started."""
        from margrpo.distributed.ddp import DdpProcesses

        return DdpProcesses(device, self.timeout)


@component
class Fsdp:
    """Processes that share out the optimizer's memory, and weights and gradients at its step (torch's FSDP2)."""

    moves_weights = True
    timeout: float = setting(600.0, "seconds that a process waits for the others before the run ends", check=positive)

    def require(self, processes: int) -> None:
        """Any number serves."""

    def join(self, device: str) -> Processes:
        """Meet the processes that torchrun has started."""
        from margrpo.distributed.fsdp import FsdpProcesses

        return FsdpProcesses(device, self.timeout)
