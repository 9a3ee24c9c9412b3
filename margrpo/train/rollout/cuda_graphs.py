"""Whole chains as CUDA graphs: for few tokens, launching the kernels takes longer than running them."""

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Head, Sampler
from margrpo.declare import record
from margrpo.train.rollout.condition import Condition
from margrpo.train.rollout.reverse_process import ReverseProcess

LARGEST = 1024
"""Number of tokens from which a graph does not save time, and would only hold memory."""
WARM_UPS = 2


@record
class _Captured:
    """A graph, the tensors that it reads, and the tensor that it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    sample: Float[Tensor, "k m d"]


class Graphs:
    """A graph for each number of tokens, captured at its first use; weights may change only in place."""

    def __init__(self, head: Head, sampler: Sampler):
        self.head, self.sampler = head, sampler
        self.captured: dict[tuple[object, ...], _Captured] = {}

    def suit(self, process: ReverseProcess, noise: Float[Tensor, "u k m d"]) -> bool:
        """Whether `process` has this head and sampler, and the tokens are few enough."""
        few = 0 < noise.shape[1] * noise.shape[2] <= LARGEST
        return process.head is self.head and process.sampler is self.sampler and noise.is_cuda and few

    def sample(
        self, process: ReverseProcess, condition: Condition, noise: Float[Tensor, "u k m d"]
    ) -> Float[Tensor, "k m d"]:
        """The tokens at the end of k chains, as `ReverseProcess.sample` gives them for all transitions."""
        inputs = inputs_of(process, condition, noise)
        shape = tuple(tuple(each.shape) for each in inputs)
        if shape not in self.captured:
            self.captured[shape] = self.capture(inputs, process.transitions)
        found = self.captured[shape]
        for ours, given in zip(found.inputs, inputs, strict=True):
            ours.copy_(given)
        found.graph.replay()
        return found.sample.clone()

    def capture(self, inputs: tuple[Tensor, ...], transitions: tuple[int, ...]) -> _Captured:
        """Draw once outside the graph, so that everything is compiled and allocated, then capture."""
        ours = tuple(each.clone() for each in inputs)

        def work() -> Tensor:
            noise, times, z, *guidance = ours
            condition = Condition(z, *guidance) if guidance else Condition.unguided(z)
            return ReverseProcess(self.head, self.sampler, transitions, times).sample(condition, noise)

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            sample = work()
        return _Captured(graph, ours, sample)


def inputs_of(process: ReverseProcess, condition: Condition, noise: Float[Tensor, "u k m d"]) -> tuple[Tensor, ...]:
    """The tensors that change from draw to draw."""
    guidance = () if condition.null is None else (condition.null, condition.scale)
    return noise, process.times, condition.z, *guidance
