"""The sizes of the KL autoencoder; imports no torch."""

from margrpo.declare import record

CHANNELS = 16
"""Channels of a token."""
GROUPS = 32
"""Groups of every normalisation; they must divide the channels of every level."""


@record
class KlShape:
    """The sizes of the autoencoder, whose every level but the last halves the image."""

    width: int
    multipliers: tuple[int, ...]
    attention: int
