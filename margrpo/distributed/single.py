"""A process that does a whole run alone: the contract that several keep together."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from margrpo.contracts import Model

State = dict[str, Any]


class SingleProcess:
    """One process that does everything."""

    rank, world_size = 0, 1

    def wrap(self, model: Model) -> None:
        """Keep the model as it is."""
        self.model = model

    def enter(self, phase: str) -> None:
        """Nobody waits to be told."""

    def all_gather(self, x: Tensor) -> Tensor:
        """The tensor itself, as the only one."""
        return x[None]

    def all_reduce(self, x: Tensor) -> Tensor:
        """The sum over the processes, which add up in the order of their ranks."""
        return self.all_gather(x).sum(0)

    def sum_gradients(self) -> None:
        """They are whole."""

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """The norm of the gradients, which are scaled down to the largest that is allowed."""
        return float(torch.nn.utils.clip_grad_norm_(parameters, largest))

    def unshard(self) -> None:
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

    def close(self) -> None:
        """Nothing was joined."""
