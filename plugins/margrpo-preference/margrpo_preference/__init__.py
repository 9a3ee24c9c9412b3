"""Rewards of margrpo that learned what people prefer."""

from margrpo import Entry, hookimpl

MARGRPO_HOOKS = 1
"""The version of margrpo's hooks that this plugin is written for."""


@hookimpl
def margrpo_components() -> list[Entry]:
    """Five rewards of human preference."""
    return [
        Entry("reward.clip_score", "margrpo_preference.clip_score:ClipScore", "how well text and picture fit, by CLIP"),
        Entry("reward.pickscore", "margrpo_preference.pickscore:Pickscore", "which picture users of Pick-a-Pic picked"),
        Entry("reward.hps", "margrpo_preference.hps:Hps", "Human Preference Score v2.1"),
        Entry("reward.image_reward", "margrpo_preference.image_reward:ImageReward", "a BLIP tuned on rankings"),
        Entry("reward.aesthetic", "margrpo_preference.aesthetic:Aesthetic", "how beautiful a picture looks"),
    ]
