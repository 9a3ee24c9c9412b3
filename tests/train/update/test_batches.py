from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.plan.memory import PIECE
from margrpo.testing import small
from margrpo.train.rollout.condition import PromptPrefix, conditions
from margrpo.train.update.batches import ImageStep, batches, conditions_of, image_steps
from margrpo.train.update.budget import ROOMY, Budget, Footprint

IMAGE_STEPS = st.builds(
    ImageStep,
    step=st.integers(0, 3),
    image=st.integers(0, 3),
    known=st.integers(0, 9),
    scale=st.sampled_from((1.0, 3.0)),
)


@settings(derandomize=True, deadline=None)
@given(images=st.lists(IMAGE_STEPS, max_size=20), room=st.integers(1, 60))
def test_batches_keep_the_order_fit_the_room_and_do_not_mix_guided_with_others(images: list[ImageStep], room: int):
    budget = Budget(room * PIECE // (PIECE - 1) + 1, Footprint(image=3.0, known=1.0))
    found = list(batches(images, budget))
    assert [each for batch in found for each in batch] == images
    for batch in found:
        assert len({each.halves for each in batch}) == 1
        taken = [budget.image(each.known, each.halves) for each in batch]
        assert len(batch) == 1 or sum(taken) <= budget.room
    for batch, following in pairwise(found):
        more = sum(budget.image(each.known, each.halves) for each in [*batch, following[0]])
        assert more > budget.room or batch[0].halves != following[0].halves


def test_images_that_draw_are_batches_of_their_own():
    images = [ImageStep(0, image, 1, 1.0) for image in range(3)]
    assert list(batches(images, ROOMY, alone=True)) == [[each] for each in images]
    assert list(batches(images, ROOMY)) == [images]


def test_images_of_several_ar_steps_share_a_pass_and_answer_as_step_by_step():
    pipeline = small.pipeline(side=3, steps=4)
    rollout = small.rollout(pipeline)
    unknown = [step.unknown for step in rollout.steps]
    images = image_steps(unknown, [1.0, 2.0, 3.0, 4.0], [[0, 1], [1, 3], [], [2]])
    assert [(each.step, each.image, each.known, each.halves) for each in images] == [
        (0, 0, 0, 1),
        (0, 1, 0, 1),
        (1, 1, 1, 2),
        (1, 3, 1, 2),
        (3, 2, 6, 2),
    ]
    batch = images[2:]
    together = conditions_of(pipeline.model, rollout, batch, unknown, dtype=torch.float32)
    for slot, each in enumerate(batch):
        step, prompt = rollout.steps[each.step], rollout.prompts.at([each.image])
        tokens, mask = step.tokens[[each.image]], step.unknown[[each.image]]
        prefix = PromptPrefix.of(pipeline.model, prompt, guided=each.scale != 1)
        alone = conditions(pipeline.model, tokens, mask, prefix, scales=[each.scale])
        assert torch.allclose(together.z[slot], alone.z[0], atol=1e-5)
        assert torch.allclose(together.null[slot], alone.null[0], atol=1e-5)
        assert bool((together.scale[slot] == each.scale).all())
