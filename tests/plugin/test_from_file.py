import os
from importlib.util import find_spec
from pathlib import Path

import attrs
import pytest
import torch

from margrpo.errors import PluginError, RecipeError
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.read import read
from margrpo.recipe.structure import structure, unstructure
from margrpo.testing import small
from margrpo.train.run.versions import versions
from margrpo.train.verdict.scorers import build_rewards, reward_names

ROOT = Path(__file__).parents[2]
FUNCTION = '''
"""Rewards of mine."""

from neighbour import HALF
from margrpo.records import Traits

def sharpness(images, prompts, *, scale: float = 1.0, power: int):
    """How much neighbouring pixels differ."""
    return scale * (images.diff(dim=-1).abs() ** power).mean((1, 2, 3)) * HALF

sharpness.traits = Traits(low=0.0)

def three(images, prompts, more):
    return images

def untyped(images, prompts, *, scale=1.0):
    return images

NUMBER = 3
'''
CLASS = '''
from margrpo import component, setting

@component
class First:
    """The first token."""
    among: int = setting(1, "tokens")
    def needs(self): ...
    def extent(self, tokens): ...
    def select(self, rollout, step): ...

class Plain:
    pass

@component
class Half:
    def needs(self): ...
'''


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FUNCTION)
    (tmp_path / "classes.py").write_text(CLASS)
    (tmp_path / "neighbour.py").write_text("HALF = 0.5\n")
    return tmp_path


def recipe(folder: Path, *lines: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text("\n".join([f'extends = "{ROOT}/recipes/quickstart.toml"', *lines]))
    return path


def test_a_function_is_a_reward_whose_keyword_only_arguments_are_settings(mine: Path) -> None:
    path = recipe(mine, "[[reward]]", 'use = "mine.py:sharpness"', "power = 2", "weight = 3")
    among = Registry()
    made = structure(read(path), among=among)
    (reward,) = made.reward
    images = torch.rand(2, 3, 4, 4)
    scores = reward.build("cpu").score(images, small.prompts(1))
    assert torch.allclose(scores, 0.5 * (images.diff(dim=-1) ** 2).mean((1, 2, 3)))
    assert (reward.weight, reward.scale, reward.traits.low) == (3.0, 1.0, 0.0)
    resolved = unstructure(made, among=among)
    assert resolved["reward"] == [{"use": f"{mine}/mine.py:sharpness", "scale": 1.0, "power": 2, "weight": 3.0}]
    assert structure(resolved, among=among) == made


def test_a_path_starts_at_the_file_in_which_it_stands(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = recipe(mine, "[[reward]]", 'use = "./mine.py:sharpness"', "power = 1")
    (mine / "deeper").mkdir()
    child = mine / "deeper" / "child.toml"
    child.write_text(f'extends = "../{parent.name}"\nselector = "../classes.py:First"\n')
    table = read(child)
    assert table["reward"][0]["use"] == f"{mine}/mine.py:sharpness"
    assert table["selector"] == f"{mine}/classes.py:First"
    monkeypatch.chdir(mine)
    assert read(child, ["selector.use=classes.py:First"])["selector"]["use"] == f"{mine}/classes.py:First"


def test_a_file_is_used_like_a_plugin_and_its_digest_is_written_down(mine: Path) -> None:
    path = recipe(
        mine, "[selector]", 'use = "classes.py:First"', "[[reward]]", 'use = "mine.py:sharpness"', "power = 1"
    )
    among = Registry()
    made = structure(read(path), among=among)
    assert made.selector.among == 1
    digests = versions(among)
    assert len(digests[f"{mine}/mine.py"]) == len(digests[f"{mine}/classes.py"]) == 64


def test_figures_name_the_function(mine: Path) -> None:
    from margrpo.plugin.registry import registry

    reward = registry().load(registry().find("reward", f"{mine}/mine.py:sharpness"))(power=1)
    assert reward_names((reward,)) == ("sharpness",)
    assert build_rewards((reward,), "cpu")[0].name == "sharpness"


BAD = {
    "mine.py:three": "three takes 3 arguments by position, and a reward takes two, images and prompts; write what else",
    "mine.py:untyped": "untyped: say of which type its setting scale is, as in x: float",
    "mine.py:NUMBER": "NUMBER is not a component class; put @margrpo.component above it",
    "mine.py:nothing": "/mine.py has no nothing; correct what stands after the colon",
    "absent.py:f": "there is no file",
    "broken.py:f": "/broken.py cannot be imported: ZeroDivisionError: division by zero (line 2)",
    "classes.py:Plain": "Plain is not a component class",
    "classes.py:Half": "lacks traits, build, weight, which the contract Reward asks for",
}


@pytest.mark.parametrize("use", BAD)
def test_a_file_that_cannot_serve_is_refused_with_a_sentence(use: str, mine: Path) -> None:
    (mine / "broken.py").write_text("x = 1\nx / 0\n")
    path = recipe(mine, "[[reward]]", f'use = "{use}"')
    with pytest.raises(RecipeError) as caught:
        structure(read(path), among=Registry())
    (problem,) = caught.value.problems
    assert problem.startswith(f'reward.0.use = "{mine}/')
    assert BAD[use] in problem


def test_only_a_reward_can_be_a_function(mine: Path) -> None:
    among = Registry()
    with pytest.raises(PluginError, match="sharpness is a function, and only a reward can be one; write a class with"):
        among.load(among.find("selector", f"{mine}/mine.py:sharpness"))


def test_a_run_with_it_trains_and_resumes(mine: Path) -> None:
    """Through the whole loop: the recipe is written, read again, and its file found from anywhere."""
    from margrpo.recipe import load
    from margrpo.train.loop import train

    path = recipe(mine, "[[reward]]", 'use = "mine.py:sharpness"', "power = 1")
    tiny = (
        "prompts.prompts=2",
        "prompts.group=2",
        "run.steps=2",
        "run.held_out=2",
        "run.eval_prompts=2",
        "run.save_every=1",
    )
    sets = [*tiny, "policy.weights=random", "codec.weights=random", "measure.use=brightness"]
    made, there = load(path, sets), os.getcwd()
    stops = iter([True])
    assert train(made, mine / "run", stopped=lambda: next(stops)) is None
    os.chdir("/")
    try:
        assert train(load(mine / "run" / "recipe.toml"), mine / "run") is not None
    finally:
        os.chdir(there)
    assert '"reward/sharpness"' in (mine / "run" / "metrics.jsonl").read_text()


def test_a_file_is_executed_once(mine: Path) -> None:
    write = f"with open('{mine}/times', 'a') as file:\n    file.write('x')\n"
    (mine / "once.py").write_text(write + "def f(images, prompts): ...\n")
    for _ in range(2):
        among = Registry()
        among.load(among.find("reward", f"{mine}/once.py:f"))
    assert (mine / "times").read_text() == "x"


def written(folder: Path, text: str) -> str:
    (folder / "another.py").write_text(text, encoding="utf-8")
    return f"{folder / 'another.py'}:found"


def test_a_neighbour_may_be_imported_as_late_as_it_scores(tmp_path: Path) -> None:
    (tmp_path / "late_neighbour.py").write_text("ANSWER = 0.5", encoding="utf-8")
    use = written(
        tmp_path,
        "def found(images, prompts):\n    from late_neighbour import ANSWER\n    return images[:, 0, 0, 0] * ANSWER",
    )
    reward = registry().load(registry().find("reward", use))()
    assert reward.score(torch.ones(2, 3, 4, 4), None).tolist() == [0.5, 0.5]


def test_types_written_as_strings_are_looked_up_where_they_are_settings(tmp_path: Path) -> None:
    text = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from somewhere import Tensor, Prompts

def found(images: Tensor, prompts: Prompts, *, scale: float | None = 2.0) -> Tensor:
    return images.mean((1, 2, 3)) * scale
"""
    reward = registry().load(registry().find("reward", written(tmp_path, text)))
    assert reward(scale=3.0).score(torch.ones(1, 3, 4, 4), None).tolist() == [3.0]
    assert attrs.fields(reward).scale.type == float | None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def found(images, prompts, *, x: 'Unknown'): ...", "the type of its setting x is not known: name 'Unknown'"),
        ("def found(images, prompts): ...\nfound.traits = 1", r"found.traits is 1, and must be Traits, as in Traits\("),
    ],
)
def test_a_function_that_misleads_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=said):
        registry().load(registry().find("reward", written(tmp_path, text)))


def test_a_decorated_function_keeps_the_names_of_its_own_module(tmp_path: Path) -> None:
    text = """
from __future__ import annotations
from typing import Literal
import torch

@torch.no_grad()
def found(images, prompts, *, mode: Literal["a", "b"] = "a"):
    return images.mean((1, 2, 3))
"""
    reward = registry().load(registry().find("reward", written(tmp_path, text)))
    assert reward(mode="b").score(torch.ones(1, 3, 4, 4), None).tolist() == [1.0]


def test_each_file_finds_its_own_neighbour_first(tmp_path: Path) -> None:
    for name, scale in (("one", 1), ("other", 100)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scale_of_it.py").write_text(f"SCALE = {scale}")
    plain = "def found(images, prompts):\n    return images[:, 0, 0, 0]"
    registry().load(registry().find("reward", written(tmp_path / "one", plain)))
    use = written(tmp_path / "other", f"from scale_of_it import SCALE\n{plain} * SCALE")
    assert registry().load(registry().find("reward", use))().score(torch.ones(1, 3, 4, 4), None).tolist() == [100.0]


def test_a_bare_folder_beside_a_file_does_not_pass_for_a_library(tmp_path: Path) -> None:
    (tmp_path / "figures_of_mine").mkdir()
    (tmp_path / "whole_package").mkdir()
    (tmp_path / "whole_package" / "__init__.py").write_text("")
    registry().load(registry().find("reward", written(tmp_path, "def found(images, prompts):\n    return images")))
    assert find_spec("figures_of_mine") is None
    assert find_spec("whole_package") is not None


def test_nothing_is_imported_from_beside_a_file_that_fails(tmp_path: Path) -> None:
    (tmp_path / "beside_a_failure.py").write_text("")
    with pytest.raises(PluginError, match="gone_away"):
        registry().load(registry().find("reward", written(tmp_path, "import gone_away\n")))
    assert find_spec("beside_a_failure") is None
