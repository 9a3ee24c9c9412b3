"""The example plugin of margrpo: what it offers, named without importing it."""

from margrpo import Entry, hookimpl


@hookimpl
def margrpo_components() -> list[Entry]:
    """A reward and a selector."""
    return [
        Entry("reward.colourfulness", "margrpo_example.colourfulness:Colourfulness", "how colourful an image looks"),
        Entry("selector.disputed", "margrpo_example.disputed:Disputed", "the places where images of one prompt differ"),
    ]
