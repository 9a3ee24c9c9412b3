"""What a server bears."""

from margrpo.declare import record
from margrpo.remote.wire import Bounds


@record
class Limits(Bounds):
    """The most that one request may ask for, and how many may wait."""

    bytes: int = 256 * 1024 * 1024
    seconds: float = 60.0
    waiting: int = 16
