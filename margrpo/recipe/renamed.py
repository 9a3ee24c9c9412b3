"""Recipe keys that were renamed; for this release only, the error of an old key names the new one."""

from collections.abc import Mapping

RENAMED: Mapping[str, str] = {
    "run.watch": "run.eval_prompts",
    "run.watch_every": "run.eval_every",
    "run.drawn": "run.rollout_batch",
    "run.skips": "run.max_skipped_steps",
    "run.keep": "run.keep_last",
    "kernel": "attention",
    "replay.released.floor": "replay.min_variance",
    "replay.released.mask": "replay.mask_at",
}
"""Old key to new key. An old setting is KIND.NAME.SETTING, so that other components may use the word."""
