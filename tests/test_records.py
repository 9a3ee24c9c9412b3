import pytest
import torch

from margrpo.components.sampler import Ddpm
from margrpo.errors import MargrpoError
from margrpo.records import Prompt, Transitions, grouped
from margrpo.testing import small


def test_transitions_of_tokens_that_were_not_drawn_is_refused_with_what_to_declare():
    (step, *_) = small.rollout(small.pipeline(sampler=Ddpm(steps=3)), virtual=False).steps
    assert Transitions.drawn(step.chain, step.committed).part()[0].shape[2] == int(step.committed.sum())
    with pytest.raises(MargrpoError) as caught:
        Transitions.drawn(step.chain, step.unknown)
    assert str(caught.value) == (
        "a token is asked for whose chain was not recorded; the component that marks it must say what it needs in "
        "needs(), such as Needs(virtual=True) for tokens that are not committed"
    )


def test_expected_transitions_stand_at_the_means_and_drawn_transitions_at_what_was_drawn():
    (step, *_) = small.rollout(small.pipeline(sampler=Ddpm(steps=3))).steps
    drawn, expected = (make(step.chain, step.committed, 0.5) for make in (Transitions.drawn, Transitions.expected))
    rows = step.chain.rows(step.committed)
    assert torch.equal(drawn.part()[1], step.chain.next[:, :, rows])
    assert torch.equal(expected.part()[1], step.chain.mean[:, :, rows])
    assert torch.equal(drawn.part()[2], expected.part()[2])
    some, first = torch.tensor([2, 0]), slice(0, 1)
    assert torch.equal(drawn.part(some, first)[0], step.chain.state[first][:, :, rows[some]])
    assert drawn.state.data_ptr() == step.chain.state.data_ptr()  # nothing is copied before it is asked for
    assert drawn.weight == expected.weight == 0.5


def test_prompts_are_told_apart_by_their_metadata_and_not_by_how_it_is_printed():
    layouts = [torch.zeros(2000), torch.zeros(2000)]
    layouts[1][1000] = 1.0
    prompts = grouped([Prompt("a red circle", metadata={"layout": layout, (0, 1): "key"}) for layout in layouts], 2)
    assert prompts.distinct(("text", "label", "metadata"))[1].tolist() == [0, 0, 1, 1]
    assert prompts.distinct()[1].tolist() == [0, 0, 0, 0]
