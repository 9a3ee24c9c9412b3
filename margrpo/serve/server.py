"""Scores over HTTP, at the paths /health, /schema and /score."""

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from math import isfinite
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from margrpo import __version__
from margrpo.errors import MargrpoError
from margrpo.records import Prompts, Traits
from margrpo.remote import wire
from margrpo.serve.limits import Limits
from margrpo.train.verdict.judge import of_data, score
from margrpo.train.verdict.scorers import BuiltReward, Scorers

HELP = "Rewards of margrpo: POST images and prompts to /score."


class Server:
    """Rewards behind HTTP; one request is scored at a time, because models must not be called concurrently."""

    def __init__(self, scorers: Scorers, device: str, limits: Limits, token: str = ""):
        self.scorers, self.device, self.limits, self.token = scorers, device, limits, token
        self.thread, self.turn = ThreadPoolExecutor(max_workers=1), asyncio.Lock()
        self.waiting = self.scored = 0

    def app(self) -> FastAPI:
        """The application; every refusal is a JSON object with a sentence, `detail`."""
        app = FastAPI(title="margrpo rewards", version=__version__, description=HELP, docs_url=None, redoc_url=None)
        app.get("/health")(self.health)
        app.get("/schema")(self.schema)
        app.post("/score")(self.score)
        app.exception_handler(MargrpoError)(refused)
        return app

    async def health(self) -> dict[str, Any]:
        """The server's state: the number of requests that wait, and of images that were scored."""
        return {"status": "ok", "waiting": self.waiting, "scored": self.scored}

    async def schema(self, request: Request) -> dict[str, Any]:
        """The rewards that the server serves, and its limits."""
        self.refuse_stranger(request)
        return {
            "version": __version__,
            "rewards": {reward.name: traits_of(reward.traits) for reward in self.scorers},
            "bodies": [wire.BINARY, wire.TEXT],
            "limits": asdict(self.limits),
        }

    async def score(self, request: Request) -> dict[str, Any]:
        """The scores of the images by each reward."""
        self.refuse_stranger(request)
        if self.waiting >= self.limits.waiting:
            raise HTTPException(503, f"{self.waiting} requests wait already; ask again later", {"Retry-After": "1"})
        self.waiting += 1
        try:
            body = await self.body_of(request)
            media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            return {"scores": await self.in_thread(lambda: self.scores(body, media))}
        finally:
            self.waiting -= 1

    def refuse_stranger(self, request: Request) -> None:
        """Raise 401 unless the request carries the token, if the server has one."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.token and not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPException(401, "the token is missing or wrong; send `Authorization: Bearer TOKEN`")

    async def body_of(self, request: Request) -> bytes:
        """The body of a request; refused if it is too long or arrives too late."""
        if request.headers.get("content-length", "0").isdigit():
            self.refuse_long(int(request.headers.get("content-length", "0")))
        parts, length = [], 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    length += len(part)
                    self.refuse_long(length)
                    parts.append(part)
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {self.limits.seconds:g} s") from None
        return b"".join(parts)

    def refuse_long(self, length: int) -> None:
        """Raise 413 if `length` is beyond the limit in bytes."""
        if length > self.limits.bytes:
            raise HTTPException(413, f"the body is longer than {self.limits.bytes} bytes; send fewer images at once")

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Do `work` in the thread that scores; after the time limit, work that has not begun is cancelled."""
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self.turn.acquire()
                future = asyncio.get_running_loop().run_in_executor(self.thread, work)
                future.add_done_callback(lambda _: self.turn.release())
                return await asyncio.shield(future)
        except TimeoutError:
            raise HTTPException(504, f"the scores did not come within {self.limits.seconds:g} s") from None

    def scores(self, body: bytes, media: str) -> dict[str, list[float]]:
        """The scores of a body's images by each reward."""
        images, prompts = wire.unpacked(body, media, self.limits)
        images, prompts = images.to(self.device), prompts.to(self.device)
        found = {reward.name: self.by(reward, images, prompts) for reward in self.scorers}
        self.scored += len(prompts)
        return found

    def by(self, reward: BuiltReward, images: Any, prompts: Prompts) -> list[float]:
        """The scores of `reward`; prompts that it cannot read are refused."""
        reward.refuse_unreadable(prompts)
        scores: list[float] = score(reward, images, prompts).tolist()
        return scores


async def refused(request: Request, error: Exception) -> JSONResponse:
    """The answer to a body that cannot be scored: 422 if the body is wrong, 500 if a reward failed."""
    return JSONResponse({"detail": str(error)}, status_code=422 if of_data(error) else 500)


def traits_of(traits: Traits) -> dict[str, Any]:
    """The traits of a reward as JSON; an infinite end of the range is null."""
    ends = {end: value if isfinite(value) else None for end, value in (("low", traits.low), ("high", traits.high))}
    kept = ("reads", "may_read", "deterministic", "parameters")
    return {**ends, **{name: getattr(traits, name) for name in kept}}
