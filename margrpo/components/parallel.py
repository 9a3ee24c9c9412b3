"""Ways to spread a run over processes."""

from margrpo.contracts import Processes
from margrpo.declare import component, positive, setting
from margrpo.errors import ParallelError


@component
class Single:
    """A run on a single process."""

    moves_weights = False

    def require(self, processes: int) -> None:
        """Raise `ParallelError` for several processes: each would do the whole run and overwrite files of others."""
        if processes > 1:
            raise ParallelError(
                f'parallel.use = "single", and torchrun has started {processes} processes; set it to "ddp" or "fsdp"'
            )

    def join(self, device: str) -> Processes:
        """Return a process group of one process."""
        from margrpo.distributed.single import SingleProcess

        return SingleProcess()


@component
class Ddp:
    """Processes that each hold the whole model and sum their gradients (torch's DistributedDataParallel)."""

    moves_weights = False
    timeout: float = setting(
        600.0, "seconds that a process waits for other processes before the run ends", check=positive
    )

    def require(self, processes: int) -> None:
        """Do nothing: any number of processes is supported."""

    def join(self, device: str) -> Processes:
        """Join the processes that torchrun has started. *Collective*."""
        from margrpo.distributed.ddp import DdpProcesses

        return DdpProcesses(device, self.timeout)


@component
class Fsdp:
    """Processes that shard the optimizer's state, and weights and gradients at its step (torch's FSDP2)."""

    moves_weights = True
    timeout: float = setting(
        600.0, "seconds that a process waits for other processes before the run ends", check=positive
    )

    def require(self, processes: int) -> None:
        """Do nothing: any number of processes is supported."""

    def join(self, device: str) -> Processes:
        """Join the processes that torchrun has started. *Collective*."""
        from margrpo.distributed.fsdp import FsdpProcesses

        return FsdpProcesses(device, self.timeout)
