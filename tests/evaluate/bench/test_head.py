from pathlib import Path

from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.head import measure_head
from tests.evaluate.bench.recipes import recipe


def test_the_head_alone_shares_its_modulation_among_the_chains(tmp_path: Path):
    found = measure_head(Bench(recipe(tmp_path), images=2), repeats=1)
    flops = recipe(tmp_path).policy.footprint().head.flops
    for chains, figures in found.items():
        forward = figures.cost.parts["head"][1]
        assert forward == 2 * 16 * flops.of(chains)
