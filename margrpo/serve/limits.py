"""What a server bears."""

import attrs


@attrs.frozen
class Limits:
    """The most that one request may ask for, and how many may wait."""

    bytes: int = 256 * 1024 * 1024
    images: int = 256
    side: int = 2048
    seconds: float = 60.0
    waiting: int = 16
