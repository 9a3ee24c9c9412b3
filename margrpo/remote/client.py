"""The client of a server of rewards."""

import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import httpx2
import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.errors import DataError, RewardError
from margrpo.records import Prompts
from margrpo.remote import wire

FIRST = 6
"""Rounds, about 16 s in all, in which a run tries its servers at its start; a server may still be loading."""
LONGEST = 16.0
"""Longest wait between two rounds, in seconds."""
BUSY = (429, 500, 502, 503, 504)
"""HTTP status codes after which a request is repeated."""


@runtime_checkable
class Settings(Protocol):
    """The settings of the component `reward.http`."""

    @property
    def servers(self) -> Sequence[str]:
        """Addresses of the servers."""

    @property
    def reward(self) -> str:
        """Name of the served reward; "" if a server serves only one."""

    @property
    def batch(self) -> int:
        """Images per request."""

    @property
    def timeout(self) -> float:
        """Seconds that a request may take."""

    @property
    def attempts(self) -> int:
        """Rounds through the servers."""

    @property
    def backoff(self) -> float:
        """Seconds to wait after the first round."""


class HttpScorer:
    """A scorer that sends images to servers of rewards."""

    def __init__(self, settings: Settings, token: str):
        self.settings = settings
        self.client = httpx2.Client(
            timeout=settings.timeout,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            trust_env=False,
        )
        weakref.finalize(self, self.client.close)
        self.threads = ThreadPoolExecutor(max_workers=len(settings.servers))
        self.reward = self.chosen(self.ask("GET", "/schema", 0, rounds=min(FIRST, settings.attempts)))

    def chosen(self, schema: Mapping[str, Any]) -> str:
        """The name of the served reward that the settings choose, or `RewardError`."""
        served, asked = list(schema.get("rewards", {})), self.settings.reward
        if asked in served:
            return asked
        if not asked and len(served) == 1:
            return served[0]
        wanted = f"reward = {asked!r}" if asked else "no reward is named"
        raise RewardError(f"{wanted}, and {self.settings.servers[0]} serves {', '.join(served)}; name one")

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The scores of all images; batches go to the servers in turn."""
        size = self.settings.batch
        parts = [slice(start, start + size) for start in range(0, len(images), size)]
        asked = [
            self.threads.submit(self.of_batch, wire.packed(images[part], prompts.part(part)), number)
            for number, part in enumerate(parts)
        ]
        found = [each.result() for each in asked]
        scores = torch.tensor([score for part in found for score in part], device=images.device)
        if scores.shape != (len(images),):
            raise RewardError(f"the servers returned {len(scores)} scores for {len(images)} images")
        return scores

    def of_batch(self, body: bytes, number: int) -> list[float]:
        """The scores of one batch."""
        said = self.ask("POST", "/score", number, rounds=self.settings.attempts, body=body)
        scores = said.get("scores", {}).get(self.reward) if isinstance(said.get("scores"), dict) else None
        if not isinstance(scores, list) or not all(isinstance(score, int | float) for score in scores):
            raise RewardError(f"the answer of a server holds no scores of {self.reward}; is it a margrpo server?")
        return [float(score) for score in scores]

    def ask(self, method: str, path: str, number: int, *, rounds: int, body: bytes | None = None) -> dict[str, Any]:
        """The answer of a server; server `number` is asked first. `RewardError` after all rounds."""
        servers, trouble = self.settings.servers, ""
        for attempt in range(rounds):
            for turn in range(len(servers)):
                server = servers[(number + turn) % len(servers)].rstrip("/")
                found, trouble = self.once(method, server + path, body)
                if found is not None:
                    return found
            if attempt + 1 < rounds:
                time.sleep(min(LONGEST, self.settings.backoff * 2**attempt))
        within = f"in {rounds} rounds " if rounds > 1 else ""
        raise RewardError(f"no server answered {within}({trouble}); start one with `margrpo rewards serve`")

    def once(self, method: str, url: str, body: bytes | None) -> tuple[dict[str, Any] | None, str]:
        """The answer to one request and "", or None and the trouble; a final refusal raises `RewardError`."""
        try:
            answer = self.client.request(method, url, content=body, headers={"Content-Type": wire.BINARY})
        except httpx2.TransportError as error:
            return None, f"{url}: {type(error).__name__}"
        said = self.parsed(answer)
        if answer.status_code == 200 and said is not None:
            return said, ""
        detail = str(said.get("detail"))[:400] if said else answer.text[:80]
        if answer.status_code in BUSY or answer.status_code == 200:
            return None, f"{url}: {answer.status_code} {detail}"
        raise RewardError(f"{url} refuses ({answer.status_code}): {detail}") from (
            DataError(detail) if answer.status_code == 422 else None
        )

    def parsed(self, answer: Any) -> dict[str, Any] | None:
        """The JSON object of an answer, or None."""
        try:
            said = answer.json()
        except ValueError:
            return None
        return said if isinstance(said, dict) else None
