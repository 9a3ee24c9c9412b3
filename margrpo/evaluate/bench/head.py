"""The cost of the head alone, forwards and backwards, as the number of chains grows."""

from collections.abc import Callable

import torch

from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.figures import Figures
from margrpo.train.rollout.condition import Condition
from margrpo.train.rollout.reverse_process import ReverseProcess
from margrpo.train.timer import Timer

CHAINS = (1, 2, 4, 8, 16, 32)
"""Numbers of chains per token that `bench head` and `bench scaling` try."""


def measure_head(bench: Bench, *, repeats: int) -> dict[int, Figures]:
    """Measure the head on all tokens at one transition, forwards and backwards, for each number of chains."""
    session, device = bench.session, bench.pipeline.device
    model, sampler = session.model, session.pipeline.sampler
    count = len(bench.prompts) * model.tokens
    with torch.no_grad():
        width = model.condition(
            torch.zeros(1, model.tokens, model.channels, device=device),
            torch.ones(1, model.tokens, dtype=torch.bool, device=device),
            model.null_prefix(1),
        ).shape[-1]
    z = torch.randn(count, width, device=device)
    process = ReverseProcess.of(model.head, sampler, (sampler.steps - 1,))

    def on(chains: int) -> Callable[[Timer], object]:
        x = torch.randn(1, chains, count, model.channels, device=device)

        def evaluated(timer: Timer) -> None:
            (said,) = process.predictions(Condition.unguided(z.clone().requires_grad_()), x)
            timer.lap("head")
            said.epsilon.sum().backward()
            timer.lap("head's backward")

        return evaluated

    return dict(zip(CHAINS, bench.timed(*map(on, CHAINS), repeats=repeats), strict=True))
