from pathlib import Path

import pytest

from tests.lint import first_lines as lint


@pytest.mark.parametrize(
    "line",
    [
        "It measures the drift.",
        "Those of the file, in its order.",
        "The same at K = 1 for each transition alone.",
        "The other.",
        "One of the images of a file.",
        "Of checkpoints; another one is not read.",
        "As it was in the rollout, in evaluation mode.",
        "How it is drawn.",
        "What is left when a checkpoint cannot be written.",
        "Whether they are those of this head.",
        "How far the images have strayed from those before training.",
        "A batch has so many images.",
        "A policy that is no plugin's.",
        "A policy that is not ours.",
        "All.",
        "Never.",
        "One batch.",
        "The captions.",
        "What holds the policy near its reference.",
        "How a gradient becomes a step.",
        "Which of ten colours CLIP sees.",
        "Where figures go.",
    ],
)
def test_a_line_that_only_its_neighbours_make_clear_is_found(line: str) -> None:
    assert not lint.stands_alone(line)


@pytest.mark.parametrize(
    "line",
    [
        "The share of images that have an advantage.",
        "Whether transition `t` has a log-density that can be trained on.",
        "One rank's view of the process group.",
        "Context manager that sets the model's mode for replay and restores it on exit.",
        "Checkpoint format version; any other version is refused.",
        "The name of the newest checkpoint; `RunError` if there is no checkpoint.",
        "This process's share of the images of a step, such as half of them.",
        "`margrpo doctor`.",
        "Raise `DataError` if the file is empty.",
        "Whatever the batch, the scores of an image are equal.",
        "This page says where everything is.",
    ],
)
def test_a_line_with_a_noun_of_its_own_passes(line: str) -> None:
    assert lint.stands_alone(line)


def test_docstrings_and_meanings_are_read_with_their_line_numbers() -> None:
    source = '''"""A module."""
class Thing:
    """A class.

    More.
    """
    size: int = setting(1, "its size")
    width: int = setting(2, meaning="of it")
    figure = Figure("name", "unit", "learning rate")

    def work(self):
        """Work."""
'''
    found = sorted(lint.first_lines(source))
    assert [(number, line.strip()) for number, line in found] == [
        (1, "A module."),
        (3, "A class."),
        (7, "its size"),
        (8, "of it"),
        (9, "learning rate"),
        (12, "Work."),
    ]
    assert [number for number, line in found if not lint.stands_alone(line)] == [1, 3, 7, 8, 12]


PAGE = """# What is a title

A first sentence. It is not read here.

- What is in a list.

| what | it is |
|---|---|

```
What is code.

It is code.
```

<!-- generated: kinds -->

What is generated.

<!-- end -->

**What a paragraph says.** More.

An image has
tokens: those of it.
"""


def test_the_first_sentences_of_paragraphs_of_prose_are_read_with_their_line_numbers() -> None:
    assert list(lint.first_sentences(PAGE)) == [
        (3, "A first sentence."),
        (22, "**What a paragraph says.** More."),
        (24, "An image has tokens:"),
    ]


def test_a_paragraph_that_does_not_stand_alone_fails_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Title\n\nA run writes figures.\n", encoding="utf-8")
    monkeypatch.setattr(lint, "DOCS_LIMIT", 0)
    assert lint.main(tmp_path) == 0
    (tmp_path / "README.md").write_text("How a run begins. More.\n", encoding="utf-8")
    assert lint.main(tmp_path) == 1
    assert "README.md:1: How a run begins.\n1 of 2 paragraphs of docs do not stand alone; the limit is 0." in (
        capsys.readouterr().out
    )


def test_more_lines_than_the_limit_fail_with_place_and_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "margrpo").mkdir()
    (tmp_path / "margrpo" / "one.py").write_text('"""Everything that a run writes."""\n\nX = 1\n', encoding="utf-8")
    (tmp_path / "margrpo" / "two.py").write_text('"""All of them."""\n', encoding="utf-8")
    monkeypatch.setattr(lint, "LIMIT", 1)
    assert lint.main(tmp_path) == 0
    monkeypatch.setattr(lint, "LIMIT", 0)
    assert lint.main(tmp_path) == 1
    assert "margrpo/two.py:1: All of them.\n1 of 2 first lines do not stand alone; the limit is 0." in (
        capsys.readouterr().out
    )
