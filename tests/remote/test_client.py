"""The client of a server of rewards, against a real server on the loopback interface."""

from pathlib import Path

import pytest
import torch

from margrpo.components.on_failure import DropGroup, Retry
from margrpo.components.reward.brightness import Brightness
from margrpo.components.reward.http import Http
from margrpo.components.reward.jpeg_compressibility import JpegCompressibility
from margrpo.components.reward.shapes import Shapes
from margrpo.declare import SettingError
from margrpo.errors import RewardError
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.step import train_step
from margrpo.train.verdict.judge import score
from margrpo.train.verdict.scorers import build_rewards
from tests.serve.rewards import IMAGES, PROMPTS, TOKEN, Counting, Failing
from tests.serve.serving import serving


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", TOKEN)


def test_scores_are_those_of_the_process_itself_to_the_last_bit(address: str) -> None:
    for reward in (Brightness(), JpegCompressibility()):
        name = {"Brightness": "brightness"}.get(type(reward).__name__, "jpeg_compressibility")
        remote = Http(servers=(address,), reward=name, token="THE_TOKEN", batch=4).build("cpu")
        assert torch.equal(remote.score(IMAGES, PROMPTS), reward.score(IMAGES, PROMPTS))


def test_a_refusal_is_raised_at_once_with_the_servers_sentence(narrow: str) -> None:
    remote = Http(servers=(narrow,), token="THE_TOKEN", attempts=5, backoff=10.0).build("cpu")
    with pytest.raises(RewardError, match=r"/score refuses \(422\): the images are 65 × 4 pixels; a side may have"):
        remote.score(torch.zeros(1, 3, 65, 4), small.prompts(1, 1))


def test_a_wrong_token_is_told(narrow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", "something else entirely")
    with pytest.raises(RewardError, match=r"/schema refuses \(401\): the token is missing or wrong"):
        Http(servers=(narrow,), token="THE_TOKEN").build("cpu")


def test_where_several_rewards_are_served_one_must_be_named(address: str) -> None:
    with pytest.raises(
        RewardError, match=r"no reward is named, and .* serves brightness, jpeg_compressibility; name one"
    ):
        Http(servers=(address,), token="THE_TOKEN").build("cpu")
    with pytest.raises(RewardError, match=r"reward = 'sharpness', and .* serves brightness"):
        Http(servers=(address,), token="THE_TOKEN", reward="sharpness").build("cpu")


def test_a_server_that_is_away_is_asked_again_and_the_others_meanwhile(narrow: str) -> None:
    away = "http://127.0.0.1:9"
    remote = Http(servers=(away, narrow), token="THE_TOKEN", batch=2, attempts=1).build("cpu")
    assert torch.equal(remote.score(IMAGES, PROMPTS), Brightness().score(IMAGES, PROMPTS))
    with pytest.raises(
        RewardError, match=r"no server answered in 6 rounds \(http://127.0.0.1:9/schema: ConnectError\)"
    ):
        Http(servers=(away,), attempts=8, backoff=0.01).build("cpu")  # 8 are for a server that was there


@pytest.mark.parametrize("address", ["http://a:b", "http://a:99999", "http://:8700", "http://[::1", "a:8700"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="at least one address, as in"):
        Http(servers=(address,))
    assert Http(servers=("http://[::1]:8700", "https://a/b")).servers[0] == "http://[::1]:8700"


def test_what_cannot_be_read_is_not_asked_again() -> None:
    settings = Counting(done=[], on_failure=Retry(attempts=3, backoff=0.0))
    (reward,) = build_rewards((settings,), "cpu")
    with pytest.raises(RewardError, match=r"the metadata is not to be understood$"):
        score(reward, IMAGES, PROMPTS)
    assert settings.done == ["cpu", "scored"]


def test_what_is_missing_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RewardError, match="the environment variable NO_SUCH is not set; put the token into it"):
        Http(servers=("http://a",), token="NO_SUCH").require()
    monkeypatch.setattr("margrpo.components.reward.http.find_spec", lambda name: None)
    with pytest.raises(RewardError, match=r'needs httpx2, which is not installed; pip install "margrpo\[http\]"'):
        Http(servers=("http://a",)).require()


def test_a_step_with_rewards_elsewhere_is_the_step_with_them_here(tmp_path: Path) -> None:
    with serving(Brightness()) as address:
        here, there = (
            train_step(assemble(small.recipe(tmp_path, reward=(reward,), measure=Brightness())), 0).figures
            for reward in (Brightness(), Http(servers=(address,), batch=1))
        )
    assert here["reward/brightness"] == there["reward/http"]
    assert here["gradient_norm"] == there["gradient_norm"]


def test_rewards_elsewhere_are_asked_while_the_next_images_are_drawn(tmp_path: Path) -> None:
    """By the time the second microbatch is drawn the first one's scores are asked for."""
    from margrpo.train.step import collect
    from margrpo.train.verdict.in_flight import ScoresInFlight

    with serving(Brightness()) as address:
        session = assemble(small.recipe(tmp_path, reward=(Http(servers=(address,)),), measure=Brightness()))
        flight, asked = ScoresInFlight(session.scorers), []
        collect(session, 0, lambda part: (flight.send(part), asked.append(len(flight.asked["http"]))))
        assert asked == list(range(1, len(session.microbatches) + 1))
        assert len(session.microbatches) > 1
        assert len(flight.results()["http"].values) == 4
        flight.close()


def test_a_server_that_stays_away_drops_the_group_where_the_recipe_says_so(tmp_path: Path) -> None:
    with serving(Brightness()) as address:
        reward = Http(servers=(address,), attempts=1, on_failure=DropGroup(backoff=0.0))
        session = assemble(small.recipe(tmp_path, reward=(reward,), measure=Brightness()))
    figures = train_step(session, 0).figures
    assert figures["dropped_groups"] == 2


def test_shapes_over_http_read_the_prompt() -> None:
    from margrpo.components.dataset.shapes import Shapes as Pictures

    images, prompts = Pictures().images(0, 5, seed=0)
    with serving(Shapes()) as address:
        assert Http(servers=(address,)).build("cpu").score(images, prompts).tolist() == [1.0] * 5


def test_what_a_server_cannot_read_is_not_asked_again_either() -> None:
    with serving(Failing(fails="data")) as address:
        remote = Http(servers=(address,), on_failure=Retry(attempts=3, backoff=60.0))
        (reward,) = build_rewards((remote,), "cpu")
        with pytest.raises(RewardError, match=r"lacks; choose \[prompts\] that have it, or another reward$"):
            score(reward, IMAGES, PROMPTS)
