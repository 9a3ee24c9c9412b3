from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.cached import Cached
from margrpo.components.reward.http import Http
from margrpo.declare import component
from margrpo.plugin.registry import registry
from margrpo.records import Prompt, Prompts, Traits, grouped
from margrpo.testing import small
from margrpo.train.verdict.scorers import reward_names

IMAGES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@component
class Counting:
    """Tells how many images it was asked about."""

    traits: Traits = Traits(reads=("text",))
    weight: float = 1.0

    def build(self, device: str) -> Any:
        return self

    def score(self, images: Tensor, prompts: Prompts) -> Tensor:
        self.__dict__.setdefault("asked", []).append(len(images))
        return images.mean((1, 2, 3)) + torch.tensor([float(len(text)) for text in prompts.text])


def test_images_that_come_again_are_not_asked_about() -> None:
    inner = Counting()
    scorer, prompts = Cached(of=inner).build("cpu"), small.prompts()
    first = scorer.score(IMAGES[:3], prompts.part(slice(3)))
    again = scorer.score(IMAGES, prompts)
    assert inner.asked == [3, 1]
    assert torch.equal(again, Counting().score(IMAGES, prompts))
    assert torch.equal(first, again[:3])


def test_another_text_is_another_question_only_where_the_reward_reads_it() -> None:
    one, other = small.prompts(1), small.prompts(2).part(slice(2, 4))
    for reads, asked in ((("text",), [2, 2]), ((), [2])):
        inner = Counting(traits=Traits(reads=reads))
        scorer = Cached(of=inner).build("cpu")
        scorer.score(IMAGES[:2], one)
        scorer.score(IMAGES[:2], other)
        assert inner.asked == asked


def test_the_oldest_is_forgotten() -> None:
    inner = Counting()
    scorer, prompts = Cached(of=inner, entries=2).build("cpu"), small.prompts()
    scorer.score(IMAGES[:3], prompts.part(slice(3)))
    scorer.score(IMAGES[2:3], prompts.part(slice(2, 3)))
    scorer.score(IMAGES[:1], prompts.part(slice(1)))
    assert inner.asked == [3, 1]


def test_the_same_image_twice_in_a_call_is_asked_about_once() -> None:
    inner = Counting()
    scores = Cached(of=inner).build("cpu").score(IMAGES[[0, 0]], small.prompts(1))
    assert inner.asked == [1]
    assert scores[0] == scores[1]


def test_what_is_not_deterministic_is_not_remembered() -> None:
    assert Cached(of=Counting(traits=Traits(deterministic=False))).problems() == [
        "of is not deterministic, so its scores cannot be remembered"
    ]
    assert Cached(of=Counting()).problems() == []


def test_it_passes_on_what_the_inner_reward_says_of_itself() -> None:
    assert Cached(of=Brightness()).traits == Brightness().traits
    assert reward_names((Cached(of=Brightness()),)) == ("brightness",)


def test_what_a_file_or_a_server_says_is_remembered_for_the_prompt_too(tmp_path: Path) -> None:
    file = tmp_path / "r.py"
    file.write_text(
        "import torch\ndef white(images, prompts):\n    return torch.tensor([float(len(t)) for t in prompts.text])\n"
    )
    inner = registry().load(registry().find("reward", f"{file}:white"))()
    assert Http(servers=("http://a",)).traits.may_read == inner.traits.may_read == ("text", "label", "metadata")
    prompts = grouped([Prompt("a"), Prompt("four")], 1)
    assert Cached(of=inner).build("cpu").score(IMAGES[[0, 0]], prompts).tolist() == [1.0, 4.0]


def test_it_ships_the_pictures_of_the_inner_reward() -> None:
    assert len(Cached(of=Brightness()).cases()) == len(Brightness().cases()) > 0
    assert Cached(of=Counting()).cases() == ()
