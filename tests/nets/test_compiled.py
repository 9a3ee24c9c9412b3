"""Dynamo cannot trace the wrappers that check shapes in the tests, so these run in a process of their own."""

import subprocess
import sys

import pytest

WORK = """
import sys
from functools import partial
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from margrpo.nets.compiled import compile_head
from margrpo.testing import small

device, backend = sys.argv[1:]
counter = CompileCounterWithBackend(backend)
torch.compile = partial(torch.compile, backend=counter)
plain, head = (small.pipeline(seed=3).model.head.to(device) for _ in range(2))
compile_head(head)
for tokens, chains, transitions in ((5, 3, 1), (7, 3, 2), (6, 2, 4), (9, 5, 3)):
    z = torch.randn(tokens, 8, device=device)
    x = torch.randn(chains, transitions, tokens, small.CHANNELS, device=device)
    found = []
    for each in (plain, head):
        leaf = z.clone().requires_grad_()
        times = each.embed_times([float(t) for t in range(transitions)])
        output, variance = each(x, each.prepare(leaf, times))
        (output.square().sum() + variance.sum()).backward()
        found.append((output, variance, leaf.grad))
    for ours, theirs in zip(*found):
        assert torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4), (ours - theirs).abs().max()
print("graphs", counter.frame_count)
"""


def run(device: str, backend: str) -> str:
    done = subprocess.run([sys.executable, "-c", WORK, device, backend], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_compiled_head_answers_as_before_at_any_size_and_is_compiled_for_few():
    # What inductor makes of it takes half a minute; that the head can be traced, and for how many sizes, does not.
    *_, graphs = run("cpu", "aot_eager").split()
    assert int(graphs) <= 6  # two phases, each for one moment and for several, and once more for other sizes


@pytest.mark.gpu
def test_on_a_gpu_inductor_compiles_it():
    run("cuda", "inductor")
