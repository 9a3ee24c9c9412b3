"""A single process that does a whole run, under the contract of a process group."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from margrpo.contracts import Model

State = dict[str, Any]


class SingleProcess:
    """The process group of a run on one process."""

    rank, world_size = 0, 1

    def wrap(self, model: Model) -> None:
        """Do nothing: the model stays whole."""
        self.model = model

    def enter(self, phase: str) -> None:
        """Do nothing: no other process waits."""

    def all_gather(self, x: Tensor) -> Tensor:
        """The tensor, as the only row of a new first axis."""
        return x[None]

    def all_reduce(self, x: Tensor) -> Tensor:
        """The sum over all ranks, added in the order of ranks."""
        return self.all_gather(x).sum(0)

    def sum_gradients(self) -> None:
        """Do nothing: the gradients are whole."""

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """Scale the gradients down to the norm `largest`, and return their norm before."""
        return float(torch.nn.utils.clip_grad_norm_(parameters, largest))

    def unshard(self) -> None:
        """Do nothing: the weights are whole."""

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> State:
        """The optimizer's state of each parameter by name, and its parameter groups."""
        names, state = self.names(), optimizer.state_dict()
        ordered = [names[id(value)] for group in optimizer.param_groups for value in group["params"]]
        groups = [{**group, "params": [ordered[i] for i in group["params"]]} for group in state["param_groups"]]
        return {"state": {ordered[i]: each for i, each in state["state"].items()}, "param_groups": groups}

    def restore_optimizer(self, optimizer: torch.optim.Optimizer, state: State) -> None:
        """Restore the optimizer's state, which any number of processes may have saved."""
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
        """A saved value on the parameter's device."""
        return value

    def names(self) -> Mapping[int, str]:
        """The name of each parameter, by the identity of its tensor."""
        return {id(value): name for name, value in self.model.named_parameters()}

    def close(self) -> None:
        """Do nothing: no group was joined."""
