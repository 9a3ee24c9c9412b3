"""Rewards that a server computes, over HTTP."""

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
    """Scores of servers started by `margrpo rewards serve`, computed while the next images of a step are drawn.

    Batches go to the servers in turn. If a server cannot be reached or is busy, its batch goes to the next server, so
    that a server may be restarted in the middle of a run. Scores equal the scores of the server's own reward to the
    last bit. The weight of the server's reward is not used.
    """

    servers: tuple[str, ...] = setting(meaning="addresses of servers, which all serve equal rewards", check=_addresses)
    reward: str = setting("", "name of the served reward; may be empty if the servers serve only one")
    token: str = setting("", "environment variable with the servers' token; empty: no token")
    batch: int = setting(64, "images in one request", check=at_least(1))
    timeout: float = setting(120.0, "seconds that one request may take", check=positive)
    attempts: int = setting(8, "rounds through all servers before the reward fails", check=at_least(1))
    backoff: float = setting(
        0.5, "seconds to wait after the first round, doubled after each round up to 16", check=not_negative
    )
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(may_read=PROMPT_FIELDS, remote=True)

    def require(self) -> None:
        """Raise `RewardError` if the client or the token is missing."""
        if find_spec("httpx2") is None:
            raise RewardError('reward http needs httpx2, which is not installed; pip install "margrpo[http]"')
        if self.token and not os.environ.get(self.token):
            raise RewardError(f"reward http: the environment variable {self.token} is not set; put the token into it")

    def build(self, device: str) -> Scorer:
        """Connect, once a server has confirmed that it serves this reward."""
        from margrpo.remote.client import HttpScorer

        self.require()
        return HttpScorer(self, os.environ[self.token] if self.token else "")
