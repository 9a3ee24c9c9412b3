"""A server of rewards on the loopback interface, and the client that a recipe uses."""

import base64
import gc
import io
import json
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import torch
from fastapi import Request
from PIL import Image
from safetensors.torch import save

from margrpo.cli.serving import run
from margrpo.components.on_failure import Retry
from margrpo.components.reward.brightness import Brightness
from margrpo.declare import component
from margrpo.errors import RewardError
from margrpo.records import Traits
from margrpo.remote import wire
from margrpo.serve.limits import Limits
from margrpo.testing import small
from tests.serve.rewards import IMAGES, PROMPTS, TOKEN, Counting, Failing
from tests.serve.serving import serving
from tests.waiting import PATIENCE, wait_for

CLIENT = httpx2.Client(trust_env=False)  # one, because each reads all certificates of the machine


@component
class Held:
    """Waits at a gate."""

    gate: Any
    weight: float = 1.0
    traits = Traits()

    def build(self, device: str) -> Any:
        return self

    def score(self, images: torch.Tensor, prompts: Any) -> torch.Tensor:
        self.gate.wait(PATIENCE)
        return images.mean((1, 2, 3))


@contextmanager
def held(**limits: Any) -> Iterator[tuple[str, threading.Event]]:
    """A server whose scores wait at a gate, and the gate, which is opened in the end."""
    gate = threading.Event()
    with serving(Held(gate=gate), limits=Limits(**limits)) as address:
        try:
            yield address, gate
        finally:
            gate.set()


def post(address: str, body: bytes, media: str = wire.BINARY, token: str = TOKEN) -> httpx2.Response:
    headers = {"Content-Type": media, "Authorization": f"Bearer {token}"}
    return CLIENT.post(f"{address}/score", content=body, headers=headers)


def health(address: str) -> dict[str, Any]:
    return CLIENT.get(f"{address}/health").json()


def test_a_body_in_json_holds_pngs(address: str) -> None:
    pixels = (IMAGES[:2] * 255).round().to(torch.uint8)
    pngs = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, format="PNG")
        pngs.append(base64.b64encode(file.getvalue()).decode())
    said = json.dumps({"images": pngs, "prompts": [{"text": "one"}, {"text": "two", "label": 3}]}).encode()
    answer = post(address, said, "application/json; charset=utf-8")
    expected = Brightness().score(pixels.float() / 255, small.prompts(1)).tolist()
    assert answer.json()["scores"]["brightness"] == expected


def test_health_asks_no_token_and_schema_tells_what_is_served(address: str) -> None:
    assert health(address)["status"] == "ok"
    assert CLIENT.get(f"{address}/schema").status_code == 401
    said = CLIENT.get(f"{address}/schema", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert said["rewards"]["jpeg_compressibility"]["low"] is None
    assert said["rewards"]["brightness"] == {
        "low": 0.0,
        "high": 1.0,
        "reads": [],
        "may_read": [],
        "deterministic": True,
        "parameters": 0,
    }


GOOD = wire.packed(IMAGES[:1], PROMPTS.part(slice(1)))


def with_prompts(said: Any, images: torch.Tensor = IMAGES[:1]) -> bytes:
    return save({"images": images.contiguous()}, {"prompts": json.dumps(said)})


def with_pngs(*sizes: tuple[int, int], cut: int | None = None) -> bytes:
    """A body in JSON with a black PNG of each size (height, width), of which so many bytes are kept."""
    encoded = []
    for height, width in sizes:
        file = io.BytesIO()
        Image.new("RGB", (width, height)).save(file, "PNG")
        encoded.append(base64.b64encode(file.getvalue()[:cut]).decode())
    return json.dumps({"images": encoded, "prompts": [{"text": "a"}] * len(sizes)}).encode()


HOSTILE: dict[str, tuple[bytes, str, int, str]] = {
    "nothing": (b"", wire.BINARY, 422, "the body is not safetensors"),
    "cut": (GOOD[:-8], wire.BINARY, 422, "the body is not safetensors"),
    "a huge header": (b"\xff" * 8 + GOOD, wire.BINARY, 422, "the body is not safetensors"),
    "another type": (GOOD, "application/x-pickle", 422, "the content type 'application/x-pickle' is not known"),
    "no json": (b"{", wire.TEXT, 422, "the body is not JSON"),
    "deep json": (b"[" * 100_000, wire.TEXT, 422, "the body is not JSON"),
    "nan": (b'{"images": [], "prompts": NaN}', wire.TEXT, 422, "NaN is not a number of JSON"),
    "no images": (b'{"images": [], "prompts": []}', wire.TEXT, 422, "there are 0 images; send 1 to 8 at once"),
    "no png": (b'{"images": ["AAAA"], "prompts": [{"text": "a"}]}', wire.TEXT, 422, "an image is not a PNG in base64"),
    "a prompt too few": (
        b'{"images": ["!", "!"], "prompts": [{"text": "a"}]}',
        wire.TEXT,
        422,
        "there are 2 images and 1 prompts",
    ),
    "no base64": (b'{"images": ["!"], "prompts": [{"text": "a"}]}', wire.TEXT, 422, "an image is not a PNG in base64"),
    "fewer prompts": (with_prompts([]), wire.BINARY, 422, "there are 1 images and 0 prompts"),
    "no text": (with_prompts([{"label": 1}]), wire.BINARY, 422, 'a prompt must be an object with a "text"'),
    "a large label": (with_prompts([{"text": "a", "label": 2**70}]), wire.BINARY, 422, '"label" and "group"'),
    "a label of yes": (with_prompts([{"text": "a", "label": True}]), wire.BINARY, 422, '"label" and "group"'),
    "metadata": (with_prompts([{"text": "a", "metadata": []}]), wire.BINARY, 422, '"metadata" of a prompt must be an'),
    "a long text": (with_prompts([{"text": "a" * 10_001}]), wire.BINARY, 422, "longer than 10000 characters"),
    "out of range": (with_prompts([{"text": "a"}], IMAGES[:1] + 1), wire.BINARY, 422, "not in [0, 1]"),
    "nan pixels": (with_prompts([{"text": "a"}], IMAGES[:1] / 0), wire.BINARY, 422, "not in [0, 1]"),
    "too many": (with_prompts([{"text": "a"}] * 9, torch.zeros(9, 3, 4, 4)), wire.BINARY, 422, "there are 9 images"),
    "too large": (
        with_prompts([{"text": "a"}], torch.zeros(1, 3, 65, 4)),
        wire.BINARY,
        422,
        "a side may have at most 64",
    ),
    "too many pixels": (
        with_prompts([{"text": "a"}] * 4, torch.zeros(4, 3, 40, 50, dtype=torch.uint8)),
        wire.BINARY,
        422,
        "4 images of 40 × 50 are 8000 pixels; the limit is 5000; send fewer images",
    ),
    "pngs of too many pixels": (
        with_pngs((40, 50), (40, 50), (40, 50)),
        wire.TEXT,
        422,
        "3 images of 40 × 50 are 6000 pixels; the limit is 5000",
    ),
    "pngs of two sizes": (with_pngs((4, 5), (5, 4)), wire.TEXT, 422, "the images differ in size"),
    "half a png": (with_pngs((40, 50), cut=40), wire.TEXT, 422, "an image is not a PNG in base64"),
    "two channels": (with_prompts([{"text": "a"}], torch.zeros(1, 2, 4, 4)), wire.BINARY, 422, "of the shape b 3 h w"),
    "half": (
        with_prompts([{"text": "a"}], torch.zeros(1, 3, 4, 4).half()),
        wire.BINARY,
        422,
        "must be float32 or uint8",
    ),
    "too long": (b"a" * 200_000, wire.BINARY, 413, "the body is longer than 150000 bytes"),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_what_cannot_be_scored_is_refused_with_a_sentence(how: str, narrow: str) -> None:
    body, media, status, said = HOSTILE[how]
    answer = post(narrow, body, media)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert post(narrow, GOOD).status_code == 200


@pytest.mark.parametrize("given", ["", "wrong", TOKEN + "x", "ünïcode"])
def test_without_the_token_nothing_is_scored(given: str, narrow: str) -> None:
    headers = {"Authorization": f"Bearer {given}".encode()} if given else {}
    answer = CLIENT.post(f"{narrow}/score", content=GOOD, headers=headers)
    assert (answer.status_code, "the token is missing or wrong" in answer.text) == (401, True)


def alive(cls: type) -> int:
    gc.collect()
    return sum(type(each) is cls for each in gc.get_objects())


def test_hostile_requests_are_refused_and_leave_nothing_behind(narrow: str) -> None:
    drawn, bodies = random.Random(0), [(body, media) for body, media, _, _ in HOSTILE.values()]
    for number in range(300):
        body, media = drawn.choice(bodies)
        if number % 3 == 0:
            body = bytes(drawn.randrange(256) for _ in range(drawn.randrange(2000)))
        if number % 5 == 0:
            flipped = bytearray(GOOD)
            flipped[drawn.randrange(80)] ^= 1 << drawn.randrange(8)
            body = bytes(flipped)
        status = post(narrow, body, media).status_code
        assert (status == 200 and number % 5 == 0) or 400 <= status < 500, (number, status)
    assert health(narrow)["waiting"] == 0
    wait_for(lambda: not alive(Request), "the end of requests, and of the bodies that they hold")


def test_a_request_that_takes_too_long_is_told_and_the_next_is_served() -> None:
    with held(seconds=0.1) as (address, gate):
        assert post(address, GOOD).status_code == 504
        assert health(address)["status"] == "ok"
        gate.set()
        assert wait_for(lambda: post(address, GOOD).status_code == 200, "the next answer")


def test_what_waited_too_long_is_never_scored() -> None:
    with held(seconds=0.2) as (address, gate), ThreadPoolExecutor(4) as threads:
        assert {answer.status_code for answer in threads.map(lambda _: post(address, GOOD), range(4))} == {504}
        gate.set()
        assert wait_for(lambda: post(address, GOOD).status_code == 200, "the next answer")
        assert health(address) == {"status": "ok", "waiting": 0, "scored": 2}


def test_a_full_queue_asks_to_come_again() -> None:
    with held(waiting=2) as (address, gate), ThreadPoolExecutor(2) as threads:
        taken = [threads.submit(post, address, GOOD) for _ in range(2)]
        wait_for(lambda: health(address)["waiting"] == 2, "two requests that wait")
        refused = post(address, GOOD)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        gate.set()
        assert [each.result().status_code for each in taken] == [200, 200]


def test_a_reward_that_fails_is_told_with_its_sentence_and_no_traceback() -> None:
    said = with_prompts([{"text": "a", "metadata": {"a": 1}}])
    with serving(Failing(fails="data")) as address:
        answer = post(address, said)
        assert (answer.status_code, answer.json()) == (
            422,
            {"detail": "reward Failing: the metadata is not to be understood"},
        )
    with serving(Failing(fails="data", on_failure=Retry(attempts=2, backoff=0.0))) as address:
        assert post(address, said).status_code == 422
    with serving(Failing(fails="boom")) as address:
        answer = post(address, said)
        assert answer.status_code == 500
        assert answer.json()["detail"].startswith("reward Failing: raised ValueError: boom for 1 images")


def test_a_port_in_use_is_told_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    reward = Counting(done=[])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(RewardError, match=r"\d \(Address already in use\); choose another --port"),
    ):
        run((reward,), host="127.0.0.1", port=taken.getsockname()[1], token="", device="cpu", seconds=1, images=1)
    assert (reward.done, capsys.readouterr().out) == ([], "")
