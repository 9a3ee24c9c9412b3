"""A real server of rewards in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from margrpo.serve.limits import Limits
from margrpo.serve.server import Server
from margrpo.train.verdict.scorers import build_rewards
from tests.waiting import PATIENCE, wait_for


@contextmanager
def serving(*rewards: Any, token: str = "", limits: Limits | None = None) -> Iterator[str]:
    """The address of a real server, in a thread."""
    server = Server(build_rewards(rewards, "cpu"), "cpu", limits or Limits(), token)
    config = uvicorn.Config(server.app(), port=0, log_level="error")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    wait_for(lambda: running.started, "the server")
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(PATIENCE)
