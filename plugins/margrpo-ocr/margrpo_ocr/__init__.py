"""Text in pictures as a reward of margrpo."""

from margrpo import Entry, hookimpl

MARGRPO_HOOKS = 1
"""The version of margrpo's hooks that this plugin is written for."""


@hookimpl
def margrpo_components() -> list[Entry]:
    """A reward and a suite."""
    return [
        Entry("reward.ocr", "margrpo_ocr.ocr:Ocr", "whether the quoted text can be read in the picture"),
        Entry("suite.ocr", "margrpo_ocr.suite:Suite", "words, phrases and lines to be read in pictures"),
    ]
