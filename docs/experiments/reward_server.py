"""Images a second that a reward scores in the run's own process and behind HTTP on the same machine.

    python docs/experiments/reward_server.py

Both are measured in turn, round by round, so that a busy machine slows both; medians are printed.
"""

import socket
import subprocess
import sys
import time
from statistics import median

import httpx2
import torch

from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.http import Http
from margrpo.components.reward.jpeg_compressibility import JpegCompressibility
from margrpo.components.reward.shapes import Shapes
from margrpo.records import Prompt, grouped

ROUNDS = 9


def main() -> None:
    torch.set_num_threads(1)
    print(
        "| reward | images | in process, images/s | over HTTP, images/s | added, ms an image |\n|---|---|---|---|---|"
    )
    for reward, name, side in (
        (Shapes(), "shapes", 32),
        (JpegCompressibility(), "jpeg_compressibility", 256),
        (Brightness(), "brightness", 256),
    ):
        images = torch.rand(64, 3, side, side, generator=torch.Generator().manual_seed(0))
        prompts = grouped([Prompt("a red circle")], len(images))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "margrpo", "rewards", "serve", name, "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            wait_for(port)
            here, there = reward, Http(servers=(f"http://127.0.0.1:{port}",), batch=16).build("cpu")
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(ROUNDS):
                for scorer, seconds in zip((here, there), taken, strict=True):
                    clock = time.perf_counter()
                    scorer.score(images, prompts)
                    seconds.append(time.perf_counter() - clock)
            server.terminate()
        own, remote = (median(seconds) / len(images) for seconds in taken)
        print(
            f"| `{name}` | 64 of {side} × {side} | {1 / own:,.0f} | {1 / remote:,.0f} | {1000 * (remote - own):.2f} |"
        )


def wait_for(port: int) -> None:
    while True:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/health")
            return
        except httpx2.TransportError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
