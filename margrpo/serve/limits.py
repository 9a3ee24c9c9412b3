"""Limits of a server of rewards."""

from margrpo.declare import record
from margrpo.remote.wire import Bounds


@record
class Limits(Bounds):
    """The limits of one request, and the number of requests that may wait."""

    bytes: int = 256 * 1024 * 1024
    seconds: float = 60.0
    waiting: int = 16
