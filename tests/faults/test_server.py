"""The server of rewards is killed in the middle of a run, and comes back."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import torch

from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.http import Http
from margrpo.train.loop import train
from tests.faults import runs


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "margrpo", "rewards", "serve", "brightness", "--port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/health")
            return process
        except httpx2.TransportError:
            time.sleep(0.05)


@contextmanager
def dying(port: int, seen: list[int]) -> Iterator[None]:
    """A server that is killed after some images and started anew a second later, three times."""
    process, over = start(port), threading.Event()

    def kill() -> None:
        nonlocal process
        for _ in range(3):
            while not over.is_set():
                try:
                    if httpx2.get(f"http://127.0.0.1:{port}/health").json()["scored"] >= 4:
                        break
                except httpx2.TransportError:
                    pass
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            seen.append(1)
            time.sleep(0.5)
            process = start(port)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
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
    assert len(seen) >= 1
    one, other = runs.final(tmp_path / "here"), runs.final(tmp_path / "there")
    assert all(torch.equal(one[name], other[name]) for name in one)
