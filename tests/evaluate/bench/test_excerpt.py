from pathlib import Path

import pytest

from margrpo.components.unmasking import Cosine
from margrpo.errors import RunError
from margrpo.evaluate.bench.excerpt import SubsampledUnmasking, excerpt
from tests.evaluate.bench.recipes import recipe


def test_an_excerpt_trains_on_the_recipes_own_steps_and_draws_only_those_and_their_predecessors():
    whole, tokens = Cosine(steps=64), 256
    every, some = whole.counts(tokens), SubsampledUnmasking(whole, (0, 32), tokens)
    assert some.unknown == (256, every[1], every[31], every[32], every[33], 0)
    assert some.steps == 5
    assert some.kept == (0, 3)
    for place, kept in zip((0, 32), some.kept, strict=True):
        assert some.unknown[kept : kept + 2] == every[place : place + 2]
    assert SubsampledUnmasking(whole, tuple(range(64)), tokens).unknown == every


def test_more_ar_steps_than_there_are_are_refused(tmp_path: Path):
    with pytest.raises(RunError, match="--ar-steps 9: the recipe's images take 8 AR steps; give 8 or fewer"):
        excerpt(recipe(tmp_path), 9)
