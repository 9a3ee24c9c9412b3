"""What only a GPU can show; each test names its twin on the CPU."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.guidance import Linear
from margrpo.components.selector import Every, Uncertain
from margrpo.evaluate.dense import dense_loss
from margrpo.recipe.schema import Run
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.rollout.condition import Condition
from margrpo.train.rollout.cuda_graphs import Graphs
from margrpo.train.rollout.reverse_process import ReverseProcess
from margrpo.train.rollout.roll_out import Pipeline, roll_out
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.watch import parity

pytestmark = pytest.mark.gpu
ADVANTAGES = torch.tensor([1.5, -0.5, 0.0, 0.25])


def on_gpu(**parts: object) -> Pipeline:
    pipeline = small.pipeline(guidance=Linear(weight=3.0), **parts)
    return replace(pipeline, model=pipeline.model.cuda(), codec=pipeline.codec.cuda(), device="cuda")


def condition(pipeline: Pipeline, tokens: int) -> tuple[Condition, torch.Tensor]:
    generator = torch.Generator("cuda").manual_seed(tokens)
    z, null = torch.randn(2, tokens, 8, generator=generator, device="cuda")
    shape = (pipeline.sampler.steps + 1, 1, tokens, small.CHANNELS)
    return Condition(z, null, torch.full((tokens, 1), 2.5, device="cuda")), torch.randn(
        shape, generator=generator, device="cuda"
    )


def rolled(pipeline: Pipeline, trajectories: int = 3) -> object:
    recording = small.recording(pipeline, trajectories=trajectories)
    return roll_out(pipeline, small.prompts().to("cuda"), ("small",), recording)


def test_the_streamed_gradient_is_that_of_the_whole_loss() -> None:
    # Twin: tests/evaluate/test_dense.py.
    pipeline = on_gpu()
    rollout, found = rolled(pipeline), []
    estimator = MultiTrajectory(trajectories=3, where=Uncertain(fraction=0.5))
    method = small.method(pipeline, selector=Every(), estimator=estimator, budget=small.budget(rows=20, units=5))
    backward(pipeline, method, rollout, ADVANTAGES.cuda(), UpdateStats())
    found.append(small.gradients(pipeline.model))
    pipeline.model.zero_grad()
    dense_loss(pipeline, method, rollout, ADVANTAGES.cuda()).backward()
    found.append(small.gradients(pipeline.model))
    assert float((found[0] - found[1]).norm() / found[1].norm()) < 1e-4


def test_a_chain_of_transitions_never_waits_for_the_device() -> None:
    # Twin: test_nothing_in_a_chain_depends_on_data in rollout/test_reverse_process.py.
    pipeline = on_gpu()
    known, noise = condition(pipeline, 5)
    process = ReverseProcess.of(pipeline.model.head, pipeline.sampler)
    torch.cuda.set_sync_debug_mode("error")
    try:
        process.sample(known, noise)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_cuda_graph_draws_what_the_loop_draws_and_follows_the_weights() -> None:
    # Twin: test_a_chain_taken_at_once_is_the_chain in rollout/test_reverse_process.py.
    pipeline = on_gpu()
    head, sampler = pipeline.model.head, pipeline.sampler
    graphs = Graphs(head, sampler)
    for change in range(2):
        with torch.no_grad():
            for value in head.parameters():
                value.add_(0.01 * change)
        process = ReverseProcess.of(head, sampler)
        for tokens in (3, 7, 3):
            known, noise = condition(pipeline, tokens)
            assert graphs.suit(process, noise)
            found = graphs.sample(process, known, noise)
            assert torch.allclose(found, process.sample(known, noise), atol=1e-4)
    assert len(graphs.captured) == 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_passes_the_parity_gate_and_steps_in_either_precision(precision: str, tmp_path: Path) -> None:
    # Twin: test_parity.py.
    from margrpo.train.step import Step

    session = assemble(small.recipe(tmp_path, run=Run(device="cuda", precision=precision, steps=1, budget=0.01)))
    with Step(session, 0) as step:
        rollout = step.collect()
        parity.check(session.pipeline, rollout, session.method.budget)
        step.learn(rollout, step.judge(rollout))
    assert step.outcome(rollout).figures["gradient_norm"] > 0
