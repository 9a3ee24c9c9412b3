import signal

import pytest

from margrpo.cli.signals import seconds, stopping
from margrpo.errors import MargrpoError


def test_the_first_ctrl_c_is_a_wish_and_the_second_an_order(capsys: pytest.CaptureFixture[str]) -> None:
    with stopping("wait for it") as stopped:
        assert not stopped()
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert capsys.readouterr().err == "wait for it\n"


def test_afterwards_ctrl_c_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping(""):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_what_clusters_send_is_a_wish_too(number: int) -> None:
    with stopping("") as stopped:
        signal.raise_signal(number)
        assert stopped()
        assert not stopped.by_hand
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_limit_of_time_is_a_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("margrpo.cli.signals.perf_counter", lambda: now[0])
    with stopping("", after=60) as stopped:
        now[0] += 59
        assert not stopped()
        now[0] += 1
        assert stopped()


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("55m", 3300), ("1h30m", 5400), ("2H", 7200), ("45", 45), ("1h0m1s", 3601)]
)
def test_durations_are_written_as_people_write_them(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "soon", "5 m", "-1s", "1m1h", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(MargrpoError, match=r"is not a duration; write 90s, 55m or 1h30m"):
        seconds(text)
