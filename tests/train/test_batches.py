from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.recipe.memory import PIECE
from margrpo.testing import small
from margrpo.train.batches import Unit, batches, conditions_of, units_of
from margrpo.train.budget import ROOMY, Budget, Footprint
from margrpo.train.condition import conditions

UNITS = st.builds(
    Unit, step=st.integers(0, 3), image=st.integers(0, 3), known=st.integers(0, 9), scale=st.sampled_from((1.0, 3.0))
)


@settings(derandomize=True, deadline=None)
@given(units=st.lists(UNITS, max_size=20), room=st.integers(1, 60))
def test_batches_keep_the_order_fit_the_room_and_do_not_mix_guided_with_others(units: list[Unit], room: int):
    budget = Budget(room * PIECE // (PIECE - 1) + 1, Footprint(image=3.0, known=1.0))
    found = list(batches(units, budget))
    assert [unit for batch in found for unit in batch] == units
    for batch in found:
        assert len({unit.halves for unit in batch}) == 1
        taken = [budget.unit(unit.known, unit.halves) for unit in batch]
        assert len(batch) == 1 or sum(taken) <= budget.room
    for batch, following in pairwise(found):
        more = sum(budget.unit(unit.known, unit.halves) for unit in [*batch, following[0]])
        assert more > budget.room or batch[0].halves != following[0].halves


def test_units_that_draw_are_batches_of_their_own():
    units = [Unit(0, image, 1, 1.0) for image in range(3)]
    assert list(batches(units, ROOMY, alone=True)) == [[unit] for unit in units]
    assert list(batches(units, ROOMY)) == [units]


def test_images_of_several_ar_steps_share_a_pass_and_answer_as_step_by_step():
    pipeline = small.pipeline(side=3, steps=4)
    rollout = small.rollout(pipeline)
    unknown = [step.unknown for step in rollout.steps]
    units = units_of(unknown, [1.0, 2.0, 3.0, 4.0], [[0, 1], [1, 3], [], [2]])
    assert [(unit.step, unit.image, unit.known, unit.halves) for unit in units] == [
        (0, 0, 0, 1),
        (0, 1, 0, 1),
        (1, 1, 1, 2),
        (1, 3, 1, 2),
        (3, 2, 6, 2),
    ]
    batch = units[2:]
    together = conditions_of(pipeline.model, rollout, batch, unknown, dtype=torch.float32)
    for slot, unit in enumerate(batch):
        step, prompt = rollout.steps[unit.step], rollout.prompts.at([unit.image])
        tokens, mask = step.tokens[[unit.image]], step.unknown[[unit.image]]
        alone = conditions(pipeline.model, tokens, mask, prompt, scale=unit.scale)
        assert torch.allclose(together.z[slot], alone.z[0], atol=1e-5)
        assert torch.allclose(together.null[slot], alone.null[0], atol=1e-5)
        assert bool((together.scale[slot] == unit.scale).all())
