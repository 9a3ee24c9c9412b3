"""Rewards that another process computes, asked over HTTP."""

import os
import re
from importlib.util import find_spec
from urllib.parse import urlsplit

from margrpo.contracts import OnFailure, Scorer
from margrpo.declare import Check, at_least, component, not_negative, positive, setting
from margrpo.errors import RewardError
from margrpo.records import PROMPT_FIELDS, Traits

_URL = re.compile(r"https?://[^/\s]+(/\S*)?")


def _is_address(url: str) -> bool:
    try:
        return bool(_URL.fullmatch(url)) and bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:  # of a port that is none
        return False


_addresses = Check(
    lambda urls: len(urls) > 0 and all(_is_address(url) for url in urls),
    'at least one address, as in "http://127.0.0.1:8700"',
    {"minItems": 1, "items": {"type": "string", "pattern": r"^https?://"}},
)


@component
class Http:
    """What servers started by `margrpo rewards serve` say, asked while the next images of a step are drawn.

    Batches go to the servers in turn. A server that cannot be reached, or that is busy, is asked again later and the
    others meanwhile: it may be restarted in the middle of a run. Scores are those of the server's own reward, to the
    last bit; its weight is not used.
    """

    servers: tuple[str, ...] = setting(meaning="addresses of servers that serve the same rewards", check=_addresses)
    reward: str = setting("", "which of the rewards that they serve; need not be given where it is one")
    token: str = setting("", "environment variable with the token that the servers ask for; empty: they ask for none")
    batch: int = setting(64, "images in one request", check=at_least(1))
    timeout: float = setting(120.0, "seconds that one request may take", check=positive)
    attempts: int = setting(8, "rounds through all servers before the reward fails", check=at_least(1))
    backoff: float = setting(0.5, "seconds after the first round, doubled after each up to 16", check=not_negative)
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "what is done when it fails; the run ends unless given")

    traits = Traits(may_read=PROMPT_FIELDS, remote=True)

    def require(self) -> None:
        """Raise `RewardError` where the client or the token is missing."""
        if find_spec("httpx2") is None:
            raise RewardError('reward http needs httpx2, which is not installed; pip install "margrpo[http]"')
        if self.token and not os.environ.get(self.token):
            raise RewardError(f"reward http: the environment variable {self.token} is not set; put the token into it")

    def build(self, device: str) -> Scorer:
        """The connection, once a server has said that it serves this reward."""
        from margrpo.remote.client import HttpScorer

        self.require()
        return HttpScorer(self, os.environ[self.token] if self.token else "")
