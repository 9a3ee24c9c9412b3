import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.canary import Colours, Dark, Distance, Duplicates, Edges, HeldOutReward
from margrpo.components.optimizer import AdamW
from margrpo.components.reward.brightness import Brightness
from margrpo.components.tracker.jsonl import Jsonl
from margrpo.errors import MargrpoError, RewardError, RunError
from margrpo.maths import pixels
from margrpo.plugin.registry import registry
from margrpo.recipe.schema import Run
from margrpo.records import CanaryInputs, Prompt, grouped
from margrpo.testing import small
from margrpo.train.loop import train
from margrpo.train.run import checkpoint
from margrpo.train.verdict.monitors import BuiltCanary, build_canaries
from margrpo.train.watch.canaries import check_canaries
from tests.train import odd
from tests.train.odd import Telling


@pytest.fixture(autouse=True)
def odd_components() -> Iterator[None]:
    registry.cache_clear()
    registry().register(odd, "odd", distribution="margrpo")
    yield
    registry.cache_clear()


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def canary_inputs(images: torch.Tensor, before: torch.Tensor, drawn: torch.Tensor | None = None) -> CanaryInputs:
    prompts = grouped([Prompt("x")] * len(images), 1)
    return CanaryInputs(prompts, images, before, noise(4).view(2, 2, 3, 8, 8) if drawn is None else drawn)


def test_numbers_of_pictures_by_hand() -> None:
    half = torch.zeros(1, 3, 4, 4)
    half[..., 2:] = 1.0
    assert pixels.edge_density(half).tolist() == pytest.approx([3 / 9])
    assert pixels.colour_entropy(half).tolist() == pytest.approx([1.0])
    assert pixels.dark_share(half).tolist() == [0.5]
    assert pixels.distance(half, torch.zeros_like(half)).tolist() == [0.5]
    groups = torch.stack([half[0], half[0] + 0.01, 1 - half[0]])[None]
    assert pixels.duplicate_share(groups).tolist() == pytest.approx([1 / 3])
    assert pixels.duplicate_share(groups[:, :1]).tolist() == [0.0]


@given(st.integers(0, 50))
def test_unchanged_images_have_no_drift(seed: int) -> None:
    images = noise(3, seed)
    for canary in (Edges(), Colours(), Dark(), Distance(), HeldOutReward(of=Brightness())):
        assert canary.build("cpu").drift(canary_inputs(images, images)) == pytest.approx(0, abs=1e-5)


WHITE, BLACK = torch.ones(3, 3, 8, 8), torch.zeros(3, 3, 8, 8)


@pytest.mark.parametrize(
    ("canary", "images"),
    [
        (Edges(), WHITE),
        (Colours(), WHITE),
        (Dark(), BLACK),
        (Distance(), WHITE),
        (HeldOutReward(of=Brightness()), BLACK),
    ],
)
def test_images_that_have_become_one_flat_colour_are_beyond_the_warning(canary: Any, images: torch.Tensor) -> None:
    assert canary.build("cpu").drift(canary_inputs(images, noise(3))) > canary.warn


def test_images_of_a_prompt_that_are_all_alike_are_beyond_the_warning() -> None:
    alike = noise(1).expand(4, -1, -1, -1)[None]
    assert Duplicates().build("cpu").drift(canary_inputs(WHITE, WHITE, alike)) == 1.0
    assert Duplicates().build("cpu").drift(canary_inputs(WHITE, WHITE)) == 0.0


def test_a_reward_that_rises_is_no_trouble() -> None:
    monitor = HeldOutReward(of=Brightness()).build("cpu")
    assert monitor.drift(canary_inputs(WHITE, noise(3))) == 0.0
    assert monitor.drift(canary_inputs(BLACK, noise(3))) > 1.0


def test_a_reward_that_is_no_number_any_more_is_beyond_the_stop() -> None:
    monitor = HeldOutReward(of=Brightness()).build("cpu")
    assert monitor.drift(canary_inputs(WHITE, noise(3))) == 0.0
    assert math.isnan(monitor.drift(canary_inputs(WHITE * torch.nan, noise(3))))


def test_beyond_the_warning_it_is_told_and_beyond_the_stop_it_ends() -> None:
    canaries = build_canaries((Dark(warn=0.2, stop=0.9), Dark(warn=None), Distance(warn=None, stop=0.4)), "cpu")
    quiet = check_canaries(canaries, canary_inputs(noise(3), noise(3)))
    assert quiet.figures == {"canary/dark_0": 0.0, "canary/dark_1": 0.0, "canary/distance": 0.0}
    assert (quiet.warnings, quiet.end) == ((), None)
    assert "canary dark_0 is 1, beyond its stop = 0.9" in str(check_canaries(canaries, canary_inputs(BLACK, WHITE)).end)
    ((warning),) = check_canaries(build_canaries((Dark(),), "cpu"), canary_inputs(BLACK, WHITE)).warnings
    assert warning == (
        "canary dark is 1, beyond its warn = 0.25: the policy may be gaming its reward; see the newest pictures"
    )


def test_what_is_no_number_is_beyond_every_limit() -> None:
    canaries = check_canaries(build_canaries((Distance(stop=0.5),), "cpu"), canary_inputs(WHITE * math.nan, WHITE))
    assert canaries.end == "canary distance is nan, beyond its stop = 0.5"
    with pytest.raises(MargrpoError, match=r"warn = 0\.0 must be greater than 0"):
        Dark(warn=0.0)


def recipe(folder: Path, **tables: Any) -> Any:
    settings = Run(steps=4, device="cpu", eval_prompts=2, held_out=2, eval_every=2, save_every=4, maps=0)
    return small.recipe(folder, run=settings, optimizer=AdamW(lr=1e-2), **tables)


def test_a_run_tells_what_its_canaries_say_and_goes_on(tmp_path: Path) -> None:
    telling = Telling()
    canaries = (Distance(warn=1e-6), HeldOutReward(of=Brightness(), warn=None))
    train(recipe(tmp_path, canary=canaries, tracker=(Jsonl(), telling)), tmp_path / "run")
    assert sum("canary distance is" in said for said in telling.said) == 2
    assert not any("canary reward" in said for said in telling.said)


def test_a_canary_ends_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run: step 1: canary distance is .*, beyond its stop = 1e-06; the last"):
        train(recipe(tmp_path, canary=(Distance(stop=1e-6),)), tmp_path / "run")
    assert [checkpoint.step_of(place) for place in checkpoint.all_in(tmp_path / "run" / "checkpoints")] == [2]


def test_a_run_that_goes_on_hears_the_same_canaries(tmp_path: Path) -> None:
    def figures(name: str, **more: Any) -> list[str]:
        parts = recipe(tmp_path, canary=(Distance(), Edges()), tracker=(Jsonl(),))
        next(filter(None, (train(parts, tmp_path / name, **more) for _ in range(9))))
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        return [word for line in lines for word in line.split(", ") if "canary" in word]

    unbroken = figures("unbroken")
    assert len(unbroken) == 4
    assert figures("broken", stopped=lambda: True) == unbroken


def test_one_score_of_many_that_falls_a_little_is_no_fall() -> None:
    """Where all were the same before, their std is no measure: a hundredth of the range is."""
    white = torch.ones(64, 3, 8, 8)
    now = white.clone()
    now[0] -= 0.01
    monitor = HeldOutReward(of=Brightness()).build("cpu")
    assert monitor.drift(CanaryInputs(small.prompts(64, 1), now, white, white[None, :2])) < 0.05
    assert monitor.drift(CanaryInputs(small.prompts(64, 1), white - 0.02, white, white[None, :2])) > 1


class Broken:
    """A monitor that breaks."""

    def drift(self, inputs: CanaryInputs) -> float:
        raise ZeroDivisionError("nothing to divide by")


def test_a_canary_that_raises_is_told_by_its_name() -> None:
    canary = BuiltCanary("mine", 1.0, None, Broken())
    images = torch.zeros(2, 3, 4, 4)
    with pytest.raises(RewardError, match="canary mine: raised ZeroDivisionError: nothing to divide by"):
        check_canaries((canary,), CanaryInputs(small.prompts(1), images, images, images[None]))
