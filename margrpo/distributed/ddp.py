"""Processes that each hold the whole model, with a board of phases, sums of gradients and a check of the sums."""

import gc
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from margrpo.contracts import Model
from margrpo.distributed.rendezvous import rendezvous
from margrpo.distributed.single import SingleProcess
from margrpo.errors import ParallelError

WAITING = "waiting in "
TOLERANCE = 1e-3
"""Largest error of the sum's projection on random signs, as a share of the sum of the ranks' gradient norms."""


class DdpProcesses(SingleProcess):
    """Processes that each hold the whole model; torch's DistributedDataParallel sums their gradients."""

    def __init__(self, device: str, timeout: float):
        self.device, self.timeout = torch.device(device), timeout
        store, self.rank, self.world_size = torchrun_store(timeout)
        backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
        self.board = dist.PrefixStore("margrpo", store)
        try:
            dist.init_process_group(
                backend, store=store, rank=self.rank, world_size=self.world_size, timeout=timedelta(seconds=timeout)
            )
        except RuntimeError as error:
            raise ParallelError(not_met(error)) from error
        self.checked = False
        self.synchronised: Any = None
        self.enter("the start")

    def wrap(self, model: Model) -> None:
        """Give every process the weights of rank 0."""
        super().wrap(model)
        self.together(lambda: setattr(self, "synchronised", self.summing(Touch(model))))

    def summing(self, touch: "Touch") -> Callable[[Sequence[bool]], Tensor]:
        """A module whose backward pass sums the gradients that have been collected."""
        # Which parameters have a gradient may differ from step to step, so those without are looked for.
        return DistributedDataParallel(touch, find_unused_parameters=True)

    def enter(self, phase: str) -> None:
        """Write the phase that this process enters on the common board."""
        self.phase = phase
        self.board.set(str(self.rank), phase)

    def all_gather(self, x: Tensor) -> Tensor:
        """The tensors of all ranks, in their order; a rank that is late or dead raises `ParallelError`."""
        mine = x.detach().cpu().contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.world_size)]
        self.together(lambda: dist.all_gather(parts, mine))
        return torch.stack(parts).to(x.device)

    def sum_gradients(self) -> None:
        """Sum the gradients over all ranks; the first time, check the sum by a random projection."""
        used = torch.tensor([value.grad is not None for value in self.trained()])
        some = self.all_gather(used).any(0).tolist()
        if not any(some):
            return
        expected = None if self.checked else self.all_reduce(self.projection())
        self.prepare_sum()
        self.together(lambda: self.synchronised(some).backward())
        if expected is not None:
            self.check(expected)

    def prepare_sum(self) -> None:
        """Undo beforehand the division by which DistributedDataParallel makes a mean of the sum.

        A hook that sums would do it too, but its Python callbacks were seen to lock a process up as it ended.
        """
        for value in self.trained():
            if value.grad is not None:
                value.grad.mul_(self.world_size)

    def trained(self) -> list[Tensor]:
        """The parameters that are trained."""
        return [value for value in self.model.parameters() if value.requires_grad]

    def projection(self) -> Tensor:
        """The scalar product of the gradients with random signs, and their norm, in double precision."""
        product = square = torch.zeros((), dtype=torch.float64, device=self.device)
        generator = torch.Generator(self.device).manual_seed(0)
        for value in self.trained():
            if value.grad is not None:
                whole = value.grad.full_tensor() if isinstance(value.grad, DTensor) else value.grad
                gradient = whole.detach().double()
                signs = torch.randint(2, gradient.shape, generator=generator, device=gradient.device) * 2 - 1
                product = product + (gradient * signs).sum()
                square = square + gradient.square().sum()
        return torch.stack([product, square.sqrt()]).cpu()

    def check(self, expected: Tensor) -> None:
        """Raise `ParallelError` if the gradient is not the sum of the gradients of all ranks."""
        found = self.projection()
        off = (self.all_gather(found)[:, 0] - expected[0]).abs().max()
        if off > TOLERANCE * expected[1]:
            raise ParallelError(
                f"the gradients were not summed over the {self.world_size} processes: a projection of them is "
                f"{float(found[0]):.6g} on process {self.rank}, and the sum of the processes' own is "
                f"{float(expected[0]):.6g}; a parameter may be trained that the policy's model does not list"
            )
        self.checked = True

    def together(self, work: Callable[[], Any]) -> None:
        """Do collective work; if a rank is late or dead, the error names it and its last phase."""
        phase = self.phase
        self.board.set(str(self.rank), WAITING + phase)
        try:
            work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # torch.distributed's own errors are RuntimeErrors, and so are gloo's
            raise ParallelError(self.who_is_missing(error)) from error
        self.enter(phase)

    def who_is_missing(self, error: Exception) -> str:
        """A message that names each process that did not answer, and its last phase."""
        last = {rank: self.last_phase(rank) for rank in range(self.world_size) if rank != self.rank}
        missing = {rank: phase for rank, phase in last.items() if not phase.startswith(WAITING)}
        total = self.world_size
        named = "; ".join(f"process {rank} of {total} died or hung in {phase}" for rank, phase in missing.items())
        return (
            f"{named or 'no process is missing, and all wait'}. Process {self.rank} waited in {self.phase} for at most "
            f"{self.timeout:g} s ({str(error).splitlines()[0][:120]}). The missing process's own output says why. Run "
            "the same command again: it continues from the newest checkpoint. If the process was only slow, raise "
            "parallel.timeout"
        )

    def last_phase(self, rank: int) -> str:
        """The phase that process `rank` has written on the board."""
        try:
            return self.board.get(str(rank)).decode() if self.board.check([str(rank)]) else "no phase"
        except RuntimeError:
            return "an unknown phase, because process 0 died with the board"

    def close(self) -> None:
        """Leave the process group."""
        self.synchronised = None
        gc.collect()  # what still knows of the group would keep its threads alive
        if dist.is_initialized():
            dist.destroy_process_group()


class Touch(nn.Module):
    """The model with a forward pass that touches parameters and adds nothing to their gradients."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, used: Sequence[bool]) -> Tensor:
        """The sum of `used` parameters times 0, so that each takes part in the graph."""
        trained = [value for value in self.model.parameters() if value.requires_grad]
        return torch.stack([(value * 0).sum() for value, wanted in zip(trained, used, strict=True) if wanted]).sum()


def torchrun_store(timeout: float) -> tuple[Any, int, int]:
    """A store for this attempt, the rank and the world size, from torchrun; without torchrun a single process."""
    if "RANK" not in os.environ:
        return dist.HashStore(), 0, 1
    try:
        store, rank, count = next(iter(dist.rendezvous("env://", timeout=timedelta(seconds=timeout))))
        return rendezvous(store, rank, count, timeout), rank, count
    except (RuntimeError, ValueError) as error:
        raise ParallelError(not_met(error)) from error


def not_met(error: Exception) -> str:
    """A message for processes that do not find one another."""
    gist = str(error).splitlines()[0][:160]
    return f"the processes did not meet ({gist}); start them with torchrun, and read the output of each"
