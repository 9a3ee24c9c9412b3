"""Rewards see the text, the label and the metadata of the prompt that each image was drawn for."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from margrpo.components.conditioner import Label
from margrpo.components.prompts.classes import Classes
from margrpo.contracts import Scorer
from margrpo.declare import component
from margrpo.records import Prompts, Traits
from margrpo.testing import small
from margrpo.train.assemble import Session, assemble
from margrpo.train.step import collect, train_step
from margrpo.train.verdict.judge import judge
from margrpo.train.watch.held_out import validate

WORDS = {"a photo of a golden retriever": 1.0, "a photo of an acoustic guitar": 2.0}
LONG = {207: len("golden retriever"), 402: len("acoustic guitar")}


@component
class Reading:
    """A text reward without a text model: what text, label and metadata say, and a little of the image."""

    weight: float = 1.0
    traits = Traits(reads=("text", "label", "metadata"))

    def build(self, device: str) -> Scorer:
        return self

    def score(self, images: Tensor, prompts: Prompts) -> Tensor:
        """So that each of the four can be told from the sum."""
        texts = torch.tensor([1e4 * WORDS[text] for text in prompts.text])
        names = torch.tensor([1e5 * len(entry["name"]) for entry in prompts.metadata])
        return texts + names + prompts.label + images.mean((1, 2, 3)) / 10


def session(folder: Path) -> Session:
    prompts = Classes(classes=("golden retriever", 402), prompts=2, group=3, held_out_share=0)
    policy = small.policy(conditioner=Label(prefix=2))
    return assemble(small.recipe(folder, policy=policy, prompts=prompts, reward=(Reading(),)))


def expected(label: int) -> float:
    return 1e4 * {207: 1, 402: 2}[label] + 1e5 * LONG[label] + label


def test_a_reward_in_training_reads_the_prompt_of_each_image(tmp_path: Path):
    made = session(tmp_path)
    rollout = collect(made, 0)
    verdict = judge(made.scorers, made.recipe.advantage, rollout)
    labels = rollout.prompts.label.tolist()
    assert sorted(labels) == [207] * 3 + [402] * 3
    assert verdict.total.tolist() == pytest.approx([expected(label) for label in labels], abs=0.2)


def test_a_whole_step_trains_on_such_a_reward(tmp_path: Path):
    figures = train_step(session(tmp_path), 0).figures
    assert figures["reward"] == pytest.approx((expected(207) + expected(402)) / 2, abs=0.2)


def test_a_reward_of_held_out_images_reads_their_prompts(tmp_path: Path):
    made = session(tmp_path)
    seen = validate(made.pipeline, made.recipe.prompts.held_out(), made.measure, seed=0)
    assert seen.scores.tolist() == pytest.approx([expected(label) for label in seen.prompts.label.tolist()], abs=0.2)
