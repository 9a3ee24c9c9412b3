"""The reward server of `margrpo rewards serve`, from its start to its end."""

import os
import socket
from collections.abc import Sequence
from contextlib import closing
from ipaddress import ip_address

from margrpo.cli.terminal import err, out
from margrpo.cli.threads import settle_threads
from margrpo.contracts import Reward
from margrpo.errors import RewardError

LEAST = 16
"""Letters of a token, at least."""


def token_of(variable: str, host: str) -> str:
    """The token in an environment variable; `RewardError` where other machines reach the server and it is empty."""
    token = os.environ.get(variable, "")
    if not token and not is_loopback(host):
        raise RewardError(
            f"--host {host} can be reached from other machines, and {variable} holds no token; set it, as in "
            f"export {variable}=$(openssl rand -hex 16), or listen on 127.0.0.1"
        )
    if token and (len(token) < LEAST or not token.isascii() or not token.isprintable()):
        raise RewardError(f"the token in {variable} must be {LEAST} or more letters and digits")
    return token


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(
    rewards: Sequence[Reward], *, host: str, port: int, token: str, device: str, seconds: float, images: int
) -> None:
    """Load the rewards, and serve them until a signal."""
    try:
        import uvicorn

        from margrpo.serve.server import Server
    except ImportError as error:
        raise RewardError(f'serving needs {error.name}, which is not installed; pip install "margrpo[serve]"') from None
    from margrpo.serve.limits import Limits
    from margrpo.train.assemble import device_of
    from margrpo.train.verdict.scorers import build_rewards

    settle_threads()
    place = device_of(device)
    with closing(taken(host, port)) as door:
        with err().status("loading the rewards"):
            scorers = build_rewards(rewards, place)
        limits = Limits(images=images, seconds=seconds, pixels=max(Limits.pixels, images * 512 * 512))
        server = Server(scorers, place, limits, token)
        names, address = ", ".join(reward.name for reward in scorers), f"[{host}]" if ":" in host else host
        out().print(f"serving {names} at http://{address}:{port}", markup=False, soft_wrap=True)
        config = uvicorn.Config(server.app(), log_level="warning", timeout_keep_alive=30, limit_concurrency=256)
        uvicorn.Server(config).run(sockets=[door])


def taken(host: str, port: int) -> socket.socket:
    """A socket bound to the address before rewards are loaded; it listens only when the server starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
    except OSError as error:
        door.close()
        cause = str(error.strerror or error).partition(" (while")[0]  # Python adds the address
        raise RewardError(
            f"the server could not listen on {host}:{port} ({cause}); choose another --port or --host"
        ) from None
    return door
