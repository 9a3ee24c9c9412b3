import copy
from collections.abc import Iterator

import pytest
import torch

from margrpo.distributed.ddp import DdpProcesses
from margrpo.distributed.fsdp import FsdpProcesses
from margrpo.distributed.single import SingleProcess
from margrpo.errors import ParallelError
from margrpo.testing import small


@pytest.fixture(params=[SingleProcess, DdpProcesses, FsdpProcesses])
def processes(request: pytest.FixtureRequest) -> Iterator[SingleProcess]:
    made = SingleProcess() if request.param is SingleProcess else request.param("cpu", 60.0)
    yield made
    made.close()


def shared(processes: SingleProcess, seed: int = 0) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model held by the processes, and an optimizer of its backbone."""
    model = small.model(small.policy(), seed)
    for name, value in model.named_parameters():
        value.requires_grad_(name.startswith("backbone."))
    processes.wrap(model)
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=0.1, foreach=False)
    processes.unshard()
    return model, optimizer


def step(processes: SingleProcess, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """One step on a made-up loss; the gradient's norm."""
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    optimizer.zero_grad()
    loss = model.condition(torch.ones(2, 4, 3), torch.ones(2, 4, dtype=torch.bool), model.prefix(small.prompts(1)))
    loss.square().mean().backward()
    processes.sum_gradients()
    norm = processes.clip_gradients(parameters, 1.0)
    optimizer.step()
    processes.unshard()
    return norm


def test_a_world_of_one_steps_as_a_process_alone_does(processes: SingleProcess) -> None:
    alone = SingleProcess()
    (model, optimizer), (plain, theirs) = shared(processes), shared(alone)
    for _ in range(2):
        assert step(processes, model, optimizer) == step(alone, plain, theirs)
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_optimizer_remembers_by_name_whoever_saved_it(processes: SingleProcess) -> None:
    model, optimizer = shared(processes)
    step(processes, model, optimizer)
    state = copy.deepcopy(processes.optimizer_state(optimizer))
    assert set(state) == {"state", "param_groups"}
    assert "backbone.mae.mask_token" in state["state"]
    assert state["state"]["backbone.mae.mask_token"]["exp_avg"].shape == (1, 1, 8)
    assert "backbone.fake_latent" not in state["state"]  # it had no gradient: nothing was guided
    alone = SingleProcess()
    again, fresh = shared(alone)
    again.load_state_dict(model.state_dict())
    alone.restore_optimizer(fresh, state)
    assert step(alone, again, fresh) == step(processes, model, optimizer)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_what_one_process_saved_any_kind_takes_up(processes: SingleProcess) -> None:
    alone = SingleProcess()
    model, optimizer = shared(alone)
    step(alone, model, optimizer)
    state = copy.deepcopy(alone.optimizer_state(optimizer))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    again = small.model(small.policy())
    again.load_state_dict(weights)
    for name, value in again.named_parameters():
        value.requires_grad_(name.startswith("backbone."))
    processes.wrap(again)
    fresh = torch.optim.AdamW([value for value in again.parameters() if value.requires_grad], lr=0.1, foreach=False)
    processes.unshard()
    processes.restore_optimizer(fresh, state)
    assert step(processes, again, fresh) == step(alone, model, optimizer)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_sums_and_rows_of_all(processes: SingleProcess) -> None:
    assert torch.equal(processes.all_reduce(torch.tensor([1, 2])), torch.tensor([1, 2]))
    assert torch.equal(processes.all_gather(torch.tensor([1.5])), torch.tensor([[1.5]]))


def test_a_gradient_that_is_not_the_sum_is_refused() -> None:
    made = DdpProcesses("cpu", 60.0)
    try:
        model, _ = shared(made)
        made.prepare_sum = lambda: model.backbone.mae.mask_token.grad.mul_(1.5)
        with pytest.raises(ParallelError, match="the gradients were not summed over the 1 processes"):
            step(made, model, torch.optim.SGD(made.trained(), lr=0.1))
    finally:
        made.close()


def test_who_is_missing_is_who_does_not_wait() -> None:
    made = DdpProcesses("cpu", 60.0)
    try:
        made.world_size = 3
        made.board.set("1", "step 4, judging")
        made.board.set("2", "waiting in step 4, learning")
        made.enter("step 4, learning")
        said = made.who_is_missing(RuntimeError("timed out\nin detail"))
    finally:
        made.close()
    assert said == (
        "process 1 of 3 died or hung in step 4, judging. Process 0 waited in step 4, learning for at most 60 s (timed "
        "out). The missing process's own output says why. Run the same command again: it continues from the newest "
        "checkpoint. If the process was only slow, raise parallel.timeout"
    )
