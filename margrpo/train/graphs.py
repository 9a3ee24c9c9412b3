"""Whole chains as CUDA graphs: where few tokens are drawn, launching the kernels takes longer than running them."""

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Head, Sampler
from margrpo.declare import record
from margrpo.train.chain import Moments, last
from margrpo.train.condition import Condition

LARGEST = 1024
"""Tokens from which on a GPU has enough to do, and a graph would only hold memory."""
WARM_UPS = 2


@record
class _Captured:
    """A graph, the tensors it reads, and the one it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    sample: Float[Tensor, "k m d"]


class Graphs:
    """A graph for each number of tokens, captured when it is first drawn; weights may change, but only in place."""

    def __init__(self, head: Head, sampler: Sampler):
        self.head, self.sampler = head, sampler
        self.captured: dict[tuple[object, ...], _Captured] = {}

    def suit(self, head: Head, sampler: Sampler, noise: Float[Tensor, "u k m d"]) -> bool:
        """Whether they are those of this head, and serve so many tokens."""
        few = 0 < noise.shape[1] * noise.shape[2] <= LARGEST
        return head is self.head and sampler is self.sampler and noise.is_cuda and few

    def draw(self, condition: Condition, noise: Float[Tensor, "u k m d"], moments: Moments) -> Float[Tensor, "k m d"]:
        """The tokens at the end of k chains; `moments` are those of all transitions, as they are taken."""
        inputs = inputs_of(condition, noise, moments)
        shape = tuple(tuple(each.shape) for each in inputs)
        if shape not in self.captured:
            self.captured[shape] = self.capture(inputs, moments.transitions)
        found = self.captured[shape]
        for ours, given in zip(found.inputs, inputs, strict=True):
            ours.copy_(given)
        found.graph.replay()
        return found.sample.clone()

    def capture(self, inputs: tuple[Tensor, ...], transitions: tuple[int, ...]) -> _Captured:
        """Draw once on the side, so that everything is compiled and allocated, then record."""
        ours = tuple(each.clone() for each in inputs)

        def work() -> Tensor:
            noise, embedded, z, *guidance = ours
            condition = Condition(z, *guidance) if guidance else Condition(z, None, 1.0)
            return last(self.head, self.sampler, condition, noise, Moments(transitions, embedded))

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


def inputs_of(condition: Condition, noise: Float[Tensor, "u k m d"], moments: Moments) -> tuple[Tensor, ...]:
    """Everything that changes from draw to draw, as tensors."""
    if condition.null is None:
        return noise, moments.embedded, condition.z
    scale = condition.scale
    if not isinstance(scale, Tensor):
        scale = torch.full((len(condition.z), 1), float(scale), device=noise.device)
    return noise, moments.embedded, condition.z, condition.null, scale
