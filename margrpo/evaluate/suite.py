"""The evaluation of one policy on a suite, as `margrpo evaluate` does it for each set of weights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Reward, Suite
from margrpo.declare import record
from margrpo.pictures.grid import picture
from margrpo.recipe.structure import component_of
from margrpo.records import Prompt, Prompts, grouped
from margrpo.train.rollout.roll_out import Pipeline, roll_out
from margrpo.train.verdict.judge import score
from margrpo.train.verdict.scorers import Scorers, build_rewards

TOKENS_AT_ONCE = 4096
"""Number of tokens drawn at once, so that memory does not grow with the suite."""


@record
class Examined:
    """The scores of every image by the names of the rewards, in the order of prompts, `images` per prompt."""

    prompts: tuple[Prompt, ...]
    categories: tuple[str, ...]
    images: int
    scores: Mapping[str, Float[np.ndarray, "b"]]

    @property
    def texts(self) -> list[str]:
        """The texts of the prompts."""
        return [prompt.text for prompt in self.prompts]

    def of_prompts(self, name: str) -> np.ndarray:
        """The mean score of each prompt's images."""
        return self.scores[name].reshape(len(self.prompts), self.images).mean(1)


def rewards_of(suite: Suite) -> tuple[Reward, ...]:
    """The rewards of a suite, made from their tables where the suite gives tables."""
    return tuple(
        component_of(dict(each), "reward", source="suite") if isinstance(each, Mapping) else each
        for each in suite.rewards()
    )


def examine(
    pipeline: Pipeline,
    suite: Suite,
    scorers: Scorers,
    *,
    images: int,
    seed: int,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Examined:
    """Draw `images` images of each prompt, write them into `folder` by their numbers, and score them.

    The noise of an image is a function of `seed`, its prompt's place and its number, so two policies use equal noise.
    """
    chosen = suite.prompts()
    prompts = grouped(chosen, images)
    refuse_unreadable(pipeline, scorers, prompts)
    folder.mkdir(parents=True, exist_ok=True)
    scores: dict[str, list[Tensor]] = {reward.name: [] for reward in scorers}
    for some in batches(prompts, max(1, TOKENS_AT_ONCE // pipeline.model.tokens)):
        part = prompts.part(some).to(pipeline.device)
        drawn = roll_out(pipeline, part, (seed, "evaluate")).images
        for number, image in enumerate(drawn, start=some.start):
            picture(image, 1).save(folder / f"{number:05d}.png")
        for reward in scorers:
            scores[reward.name].append(score(reward, drawn, part).cpu())
        progress(some.stop, len(prompts))
    whole = {name: torch.cat(parts).double().numpy() for name, parts in scores.items()}
    return Examined(tuple(chosen), tuple(map(suite.category, chosen)), images, whole)


@torch.no_grad()
def refuse_unreadable(pipeline: Pipeline, scorers: Scorers, prompts: Prompts) -> None:
    """Raise `DataError` for a prompt that the policy cannot express, or that lacks what a reward reads."""
    for reward in scorers:
        reward.refuse_unreadable(prompts)
    pipeline.model.prefix(prompts.to(pipeline.device))


def batches(prompts: Prompts, size: int) -> Iterator[slice]:
    """Slices of at most `size` images."""
    for start in range(0, len(prompts), size):
        yield slice(start, min(start + size, len(prompts)))


def scorers_of(suite: Suite, device: str) -> Scorers:
    """Build the suite's rewards."""
    return build_rewards(rewards_of(suite), device)


def names(categories: Sequence[str]) -> list[str]:
    """The distinct categories, in order of appearance."""
    return list(dict.fromkeys(categories))
