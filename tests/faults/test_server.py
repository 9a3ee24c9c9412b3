"""The server of rewards is killed in the middle of a run, and comes back."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import torch

from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.http import Http
from margrpo.train.loop import train
from tests.faults import runs
from tests.faults.count import cases
from tests.waiting import PATIENCE, wait_for

KILLS = cases(1, 3)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "margrpo", "rewards", "serve", "brightness", "--port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: scored(port) is not None, "the server")
    return process


def scored(port: int) -> int | None:
    """How many images the server has scored, or None while it is away."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health").json()["scored"]
    except httpx2.TransportError:
        return None


@contextmanager
def dying(port: int, seen: list[int | None]) -> Iterator[None]:
    """A server that is killed after some images and started anew; `seen` gets the images that each has scored."""
    process, over = start(port), threading.Event()

    def kill() -> None:
        nonlocal process
        for _ in range(KILLS):
            wait_for(lambda: over.is_set() or (scored(port) or 0) >= 4, "scores")
            if over.is_set():
                return
            seen.append(scored(port))
            process.kill()
            process.wait()
            process = start(port)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE)
        seen.append(scored(port))
        process.kill()
        process.wait()


def test_a_run_whose_server_is_killed_and_comes_back_ends_with_the_same_weights(tmp_path: Path) -> None:
    port, seen = free_port(), []
    parts = {"measure": Brightness()}
    here = runs.recipe(tmp_path / "weights", steps=8, reward=(Brightness(),), **parts)
    reward = Http(servers=(f"http://127.0.0.1:{port}",), backoff=0.1, attempts=10)
    there = runs.recipe(tmp_path / "weights", steps=8, reward=(reward,), **parts)
    train(here, tmp_path / "here")
    with dying(port, seen):
        train(there, tmp_path / "there")
    assert len(seen) == KILLS + 1
    assert all(seen)
    one, other = runs.final(tmp_path / "here"), runs.final(tmp_path / "there")
    assert all(torch.equal(one[name], other[name]) for name in one)
