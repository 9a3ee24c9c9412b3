"""Processes that shard the optimizer's state, and weights and gradients at its step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn import Parameter

from margrpo.distributed.ddp import DdpProcesses, Touch
from margrpo.distributed.single import State


class FsdpProcesses(DdpProcesses):
    """Processes that each hold a shard of the weights and of the optimizer's state; torch's FSDP2 (`fully_shard`).

    The weights are whole on every process while images are drawn and gradients collected, so that processes may take
    different numbers of passes. The optimizer's state is sharded all the time.
    """

    def summing(self, touch: "Touch") -> Callable[[Sequence[bool]], Tensor]:
        """A module whose backward pass sums the gradients and leaves each process its shard."""
        mesh = init_device_mesh(self.device.type, (self.world_size,))
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
        """Clip the gradients by the norm over all shards, and return this norm. *Collective*."""
        norms: list[float] = []

        def clip() -> None:
            norm: Any = torch.nn.utils.clip_grad_norm_(parameters, largest)
            norms.append(float(norm.full_tensor()))

        self.together(clip)
        return norms[0]

    def prepare_sum(self) -> None:
        """Do nothing: FSDP sums by itself."""

    def unshard(self) -> None:
        """Gather every weight. *Collective*."""
        self.together(self.sharded.unshard)

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> State:
        """The optimizer's whole state, on rank 0. *Collective*."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        found: State = {}
        self.sharded.reshard()
        self.together(lambda: found.update(get_optimizer_state_dict(self.touch, optimizer, options=options)))
        self.unshard()
        return bare(found) if self.rank == 0 else found

    def restore_optimizer(self, optimizer: torch.optim.Optimizer, state: State) -> None:
        """Restore this process's shard of the optimizer's state. *Collective*."""
        self.sharded.reshard()
        super().restore_optimizer(optimizer, state)
        self.unshard()

    def placed(self, value: Any, parameter: Tensor) -> Any:
        """The shard of a value of the parameter's shape; values of other shapes are whole on every process."""
        if not isinstance(value, Tensor) or value.shape != parameter.shape:
            return value
        assert isinstance(parameter, DTensor)
        return distribute_tensor(value, parameter.device_mesh, parameter.placements)


def bare(state: State) -> State:
    """The state by the parameters' names in the model, without the name of the module around it."""
    return {
        "state": {name.removeprefix("model."): each for name, each in state["state"].items()},
        "param_groups": [
            {**group, "params": [name.removeprefix("model.") for name in group["params"]]}
            for group in state["param_groups"]
        ],
    }
