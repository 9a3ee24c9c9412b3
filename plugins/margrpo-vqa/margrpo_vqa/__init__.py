"""Rewards that ask a vision-language model whether a picture shows what its prompt says."""

from margrpo import Entry, hookimpl

MARGRPO_HOOKS = 1
"""The version of margrpo's hooks that this plugin is written for."""


@hookimpl
def margrpo_components() -> list[Entry]:
    """Two rewards that ask questions about a picture."""
    return [
        Entry("reward.git_vqa", "margrpo_vqa.git_vqa:GitVqa", "the probability that GIT answers yes"),
        Entry(
            "reward.vlm_judge",
            "margrpo_vqa.vlm_judge:VlmJudge",
            "the probability that a vision-language model says yes",
        ),
    ]
