import json
from pathlib import Path

import pytest
import torch
from margrpo_geneval.blobs import Blobs
from margrpo_geneval.colours import PALETTE, Mean
from margrpo_geneval.contracts import Detection
from margrpo_geneval.geneval import Geneval
from margrpo_geneval.metadata import asked
from margrpo_geneval.prompt_list import CLASSES, prompts

from margrpo.components.prompts.jsonl import Jsonl
from margrpo.errors import DataError, MargrpoError

DOG = {"class": "dog", "count": 1}


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "'include' in the metadata of prompt 'p' is missing or empty, and must list the objects to be seen"),
        ({"include": {}}, "'include' in the metadata of prompt 'p' must be a list"),
        ({"include": ["dog"]}, "'include.0' in the metadata of prompt 'p' must be an object"),
        ({"include": [{"count": 1}]}, "'include.0.class' in the metadata of prompt 'p' is None, and must be the name"),
        (
            {"include": [{**DOG, "count": 0}]},
            "'include.0.count' in the metadata of prompt 'p' is 0, and must be a whole",
        ),
        ({"include": [{**DOG, "count": True}]}, "is True, and must be a whole number from 1"),
        (
            {"include": [{**DOG, "color": 3}]},
            "'include.0.color' in the metadata of prompt 'p' is 3, and must be one of red, orange",
        ),
        ({"include": [{**DOG, "position": ["near", 0]}]}, "is ['near', 0], and must be [word, entry] with a word of"),
        ({"include": [{**DOG, "position": ["above", 0]}]}, "refers to entry 0, which is not before it"),
        ({"include": [DOG], "exclude": [{}]}, "'exclude.0.class'"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_prompt_and_key(metadata: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as caught:
        asked(metadata, "p")
    assert said in str(caught.value)


def test_a_line_of_the_public_file_is_understood() -> None:
    line = '{"tag": "position", "include": [{"class": "bench", "count": 1}, {"class": "dog", "count": 1, "position": '
    made = asked(json.loads(line + '["right of", 0]}], "prompt": "a photo of a dog right of a bench"}'), "p")
    assert [(each.name, each.count, each.relation, each.reference) for each in made.include] == [
        ("bench", 1, None, 0),
        ("dog", 1, "right of", 0),
    ]


def test_generated_prompts_are_of_all_kinds_differ_and_are_the_same_for_a_seed() -> None:
    made = prompts(600, 0)
    assert len({each["text"] for each in made}) == 600
    assert {each["tag"] for each in made[:6]} == {each["tag"] for each in made}
    assert len({each["tag"] for each in made}) == 6
    assert made == prompts(600, 0) != prompts(600, 1)
    assert all(asked(each, each["text"]).include for each in made)
    texts = [each["text"] for each in prompts(60, 0, ("apple", "knife", "bus"))]
    assert any("knives" in text or "buses" in text or "an apple" in text for text in texts)


def test_more_prompts_than_there_are_are_refused() -> None:
    with pytest.raises(MargrpoError, match="1 classes make 14 prompts, not 500; give more classes, or ask for fewer"):
        prompts(500, 0, ("dog",))


def test_a_written_file_is_read_as_prompts(tmp_path: Path) -> None:
    import typer
    from margrpo_geneval.command import add
    from typer.testing import CliRunner

    app, file = typer.Typer(), tmp_path / "prompts.jsonl"
    add(app)
    done = CliRunner().invoke(app, ["geneval", "prompts", "--count", "60", "--out", str(file)])
    assert done.exit_code == 0, done.output
    source = Jsonl(path=str(file), prompts=3, group=2)
    source.require()
    drawn = source.draw(0, 0)
    assert len(drawn) == 6
    assert all(asked(metadata, text) for metadata, text in zip(drawn.metadata, drawn.text, strict=True))
    assert len(CLASSES) == len(set(CLASSES))


@pytest.mark.parametrize("colour", PALETTE)
def test_an_object_of_a_palette_colour_has_that_name(colour: str) -> None:
    image = torch.full((3, 20, 20), 0.5)
    image[:, 5:15, 5:15] = torch.tensor(PALETTE[colour])[:, None, None]
    mask = torch.zeros(20, 20, dtype=torch.bool)
    mask[5:15, 5:15] = True
    boxed, masked = Detection("a", 1.0, (5, 5, 15, 15)), Detection("a", 1.0, (0, 0, 20, 20), mask)
    assert Mean().build("cpu").colours(image, [boxed, masked]) == [colour, colour]


def test_a_colour_like_none_has_no_name() -> None:
    image = torch.tensor([0.0, 1.0, 1.0])[:, None, None].expand(3, 20, 20)
    assert Mean().build("cpu").colours(image, [Detection("a", 1.0, (5, 5, 15, 15))]) == [None]


def test_blobs_find_a_formless_piece_as_an_object_only() -> None:
    image = torch.full((1, 3, 32, 32), 0.95)
    image[:, :, 4:8, 2:30] = torch.tensor([0.87, 0.2, 0.22])[:, None, None]
    (found,) = Blobs().find(image, [["circle"]])
    assert [each.name for each in found] == ["object"]
    assert Geneval(detector=Blobs()).traits.reads == ("metadata",)
