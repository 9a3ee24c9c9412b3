"""The processes that share a run, as one of them sees them: weights, gradients and small sums."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel

from margrpo.contracts import Model
from margrpo.errors import ParallelError

State = dict[str, Any]
WAITING = "waiting in "
TOLERANCE = 1e-3
"""Of the sum of the norms of the processes' own gradients: how far the sum's projection on random signs may be off."""


class Alone:
    """One process that does everything."""

    rank, count = 0, 1

    def share(self, model: Model) -> None:
        """Keep the model as it is."""
        self.model = model

    def enter(self, phase: str) -> None:
        """Nobody waits to be told."""

    def gathered(self, x: Tensor) -> Tensor:
        """The tensor itself, as the only one."""
        return x[None]

    def total(self, x: Tensor) -> Tensor:
        """The sum over the processes, which add up in the order of their ranks."""
        return self.gathered(x).sum(0)

    def sum_gradients(self) -> None:
        """They are whole."""

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """The norm of the gradients, which are scaled down to the largest that is allowed."""
        return float(torch.nn.utils.clip_grad_norm_(parameters, largest))

    def make_whole(self) -> None:
        """Every weight is."""

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> State:
        """What the optimizer remembers of each parameter, by the parameter's name, and its groups."""
        names, state = self.names(), optimizer.state_dict()
        ordered = [names[id(value)] for group in optimizer.param_groups for value in group["params"]]
        groups = [{**group, "params": [ordered[i] for i in group["params"]]} for group in state["param_groups"]]
        return {"state": {ordered[i]: each for i, each in state["state"].items()}, "param_groups": groups}

    def restore_optimizer(self, optimizer: torch.optim.Optimizer, state: State) -> None:
        """Let the optimizer remember again, on whatever number of processes the state was saved."""
        names = self.names()
        parameters = {names[id(value)]: value for group in optimizer.param_groups for value in group["params"]}
        number = {name: place for place, name in enumerate(parameters)}
        optimizer.load_state_dict(
            {
                "state": {
                    number[name]: {key: self.placed(value, parameters[name]) for key, value in each.items()}
                    for name, each in state["state"].items()
                },
                "param_groups": [
                    {**group, "params": [number[name] for name in group["params"]]} for group in state["param_groups"]
                ],
            }
        )

    def placed(self, value: Any, parameter: Tensor) -> Any:
        """A remembered value as it lies beside its parameter."""
        return value

    def names(self) -> Mapping[int, str]:
        """The name of each parameter, by the identity of its tensor."""
        return {id(value): name for name, value in self.model.named_parameters()}

    def leave(self) -> None:
        """Nothing was joined."""


class Replicated(Alone):
    """Processes that each hold the whole model; torch's DistributedDataParallel sums their gradients."""

    def __init__(self, device: str, timeout: float):
        self.device, self.timeout = torch.device(device), timeout
        store, self.rank, self.count = rendezvous(timeout)
        backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
        self.board = dist.PrefixStore("margrpo", store)
        dist.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.count, timeout=timedelta(seconds=timeout)
        )
        self.checked = False
        self.synchronised: Any = None
        self.enter("the start")

    def share(self, model: Model) -> None:
        """Give every process the first one's weights."""
        super().share(model)
        self.synchronised = self.wrap(Touch(model))

    def wrap(self, touch: "Touch") -> Callable[[Sequence[bool]], Tensor]:
        """A module whose backward pass sums the gradients that have been collected."""
        # Which parameters have a gradient may differ from step to step, so those without are looked for.
        return DistributedDataParallel(touch, find_unused_parameters=True)

    def enter(self, phase: str) -> None:
        """Write on the common board what this process does now."""
        self.phase = phase
        self.board.set(str(self.rank), phase)

    def gathered(self, x: Tensor) -> Tensor:
        """The tensor of every process, in the order of their ranks; one that is late or gone is a `ParallelError`."""
        mine = x.detach().cpu().contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.count)]
        self.together(lambda: dist.all_gather(parts, mine))
        return torch.stack(parts).to(x.device)

    def sum_gradients(self) -> None:
        """Sum the gradients over the processes; the first time, check that the sum is what it should be."""
        used = torch.tensor([value.grad is not None for value in self.trained()])
        some = self.gathered(used).any(0).tolist()
        if not any(some):
            return
        expected = None if self.checked else self.total(self.projection())
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
                value.grad.mul_(self.count)

    def trained(self) -> list[Tensor]:
        """The parameters that are trained."""
        return [value for value in self.model.parameters() if value.requires_grad]

    def projection(self) -> Tensor:
        """The gradients' product with ±1 drawn for each of their numbers, and their norm, in double precision."""
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
        """Raise `ParallelError` where the gradient is not the sum of the processes' own."""
        found = self.projection()
        off = (self.gathered(found)[:, 0] - expected[0]).abs().max()
        if off > TOLERANCE * expected[1]:
            raise ParallelError(
                f"the gradients were not summed over the {self.count} processes: a projection of them is "
                f"{float(found[0]):.6g} on process {self.rank}, and the sum of the processes' own is "
                f"{float(expected[0]):.6g}; a parameter may be trained that the policy's model does not list"
            )
        self.checked = True

    def together(self, work: Callable[[], Any]) -> None:
        """Do what all processes do at once; where one is late or gone, say which and what it did last."""
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
        """The processes that do not wait as this one does, each with what it did last."""
        last = {rank: self.last_phase(rank) for rank in range(self.count) if rank != self.rank}
        missing = {rank: phase for rank, phase in last.items() if not phase.startswith(WAITING)}
        named = "; ".join(
            f"process {rank} of {self.count} was last heard of in {phase}" for rank, phase in missing.items()
        )
        return (
            f"process {self.rank} of {self.count} waited in {self.phase} for the others in vain, for {self.timeout:g} "
            f"s at most: {named or 'all others waited too'}; look at what they said, and where they only took long, "
            f"raise parallel.timeout ({str(error).splitlines()[0][:120]})"
        )

    def last_phase(self, rank: int) -> str:
        """What a process has written on the board."""
        try:
            return self.board.get(str(rank)).decode() if self.board.check([str(rank)]) else "no phase at all"
        except RuntimeError:
            return "a phase that cannot be read, because the board went with the process that kept it"

    def leave(self) -> None:
        """Leave the group."""
        self.synchronised = None
        if dist.is_initialized():
            dist.destroy_process_group()


class Sharded(Replicated):
    """Processes that each hold a share of weights and of the optimizer's memory; torch's FSDP2 (`fully_shard`).

    The weights are whole on every process while images are drawn and gradients collected, so that processes may take
    different numbers of passes; what is shared out all the time is the optimizer's memory.
    """

    def wrap(self, touch: "Touch") -> Callable[[Sequence[bool]], Tensor]:
        """A module whose backward pass sums the gradients and leaves each process its share."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.count,))
        hooks = {module: set(module._state_dict_pre_hooks) for module in touch.modules()}
        self.touch, self.sharded = touch, fully_shard(touch, mesh=mesh, reshard_after_forward=False)
        self.sharded.unshard()  # which is when FSDP adds its hooks
        for module in touch.modules():
            # They make shares of the weights whenever a state_dict is asked for. Here whoever asks finds weights whole,
            # and they are to stay so.
            for hook in set(module._state_dict_pre_hooks) - hooks[module]:
                del module._state_dict_pre_hooks[hook]
        self.sharded.reshard()
        self.sharded.set_force_sum_reduction_for_comms(True)
        self.sharded.set_gradient_divide_factor(1.0)
        return touch

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """The norm of all processes' shares together."""
        norms: list[float] = []

        def clip() -> None:
            norm: Any = torch.nn.utils.clip_grad_norm_(parameters, largest)
            norms.append(float(norm.full_tensor()))

        self.together(clip)
        return norms[0]

    def prepare_sum(self) -> None:
        """Nothing: FSDP was told to sum."""

    def make_whole(self) -> None:
        """Collect every weight."""
        self.together(self.sharded.unshard)

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> State:
        """The whole of what the optimizer remembers, on the first process; all must ask."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        found: State = {}
        self.sharded.reshard()
        self.together(lambda: found.update(get_optimizer_state_dict(self.touch, optimizer, options=options)))
        self.make_whole()
        return bare(found) if self.rank == 0 else found

    def restore_optimizer(self, optimizer: torch.optim.Optimizer, state: State) -> None:
        """Take this process's share."""
        self.sharded.reshard()
        super().restore_optimizer(optimizer, state)
        self.make_whole()

    def placed(self, value: Any, parameter: Tensor) -> Any:
        """The share of a value of the parameter's shape; others are whole on every process."""
        if not isinstance(value, Tensor) or value.shape != parameter.shape:
            return value
        assert isinstance(parameter, DTensor)
        return distribute_tensor(value, parameter.device_mesh, parameter.placements)


class Touch(nn.Module):
    """The model with a forward pass that touches parameters and adds nothing to their gradients."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, used: Sequence[bool]) -> Tensor:
        trained = [value for value in self.model.parameters() if value.requires_grad]
        return torch.stack([(value * 0).sum() for value, wanted in zip(trained, used, strict=True) if wanted]).sum()


def rendezvous(timeout: float) -> tuple[Any, int, int]:
    """The store, this process's rank and the number of processes, as torchrun tells them; one alone without it."""
    if "RANK" not in os.environ:
        return dist.HashStore(), 0, 1
    try:
        return next(iter(dist.rendezvous("env://", timeout=timedelta(seconds=timeout))))
    except (RuntimeError, ValueError) as error:
        raise ParallelError(
            f"the processes did not meet ({str(error).splitlines()[0][:160]}); start them with torchrun"
        ) from error


def bare(state: State) -> State:
    """The state with the parameters' own names, without that of the module around the model."""
    return {
        "state": {name.removeprefix("model."): each for name, each in state["state"].items()},
        "param_groups": [
            {**group, "params": [name.removeprefix("model.") for name in group["params"]]}
            for group in state["param_groups"]
        ],
    }
