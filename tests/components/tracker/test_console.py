import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as Terminal

from margrpo.components.tracker.console import Bar, Console, Plain, duration
from margrpo.declare import SettingError


def plain(file: io.StringIO) -> Terminal:
    return Terminal(file=file, force_terminal=False, width=200)


def terminal(file: io.StringIO) -> Terminal:
    return Terminal(file=file, force_terminal=True, width=200, force_interactive=True)


def test_without_a_terminal_a_line_comes_every_few_steps_and_after_the_last():
    file = io.StringIO()
    track = Console(every=2).open_on(plain(file), "a run", steps=5, start=0)
    for step in range(5):
        track.write(step, {"reward": step / 4, "seconds/rollout": 1.5, "other": 7.0})
    track.close()
    assert isinstance(track, Plain)
    starts = [line.split(" left")[0].rsplit(None, 1)[0] for line in file.getvalue().splitlines()]
    assert starts == [
        "step 2/5  reward 0.25  (rollout 1.5 s)",
        "step 4/5  reward 0.75  (rollout 1.5 s)",
        "step 5/5  reward 1  (rollout 1.5 s)",
    ]


def test_a_figure_measured_now_and_then_keeps_its_last_value():
    file = io.StringIO()
    track = Console(every=1).open_on(plain(file), "a run", steps=2, start=0)
    track.write(0, {"reward": 0.5, "held_out": 0.25})
    track.write(1, {"reward": 0.75})
    assert "reward 0.75  held_out 0.25" in file.getvalue().splitlines()[1]


def test_a_sentence_is_printed_whole_and_brackets_are_no_markup():
    file = io.StringIO()
    sentence = "the table [estimator.where] " + "is long " * 40
    track = Console().open_on(plain(file), "a run", steps=2, start=0)
    track.say(sentence)
    assert file.getvalue() == sentence + "\n"


def test_on_a_terminal_a_bar_shows_the_title_the_step_and_the_figures():
    file = io.StringIO()
    track = Console().open_on(terminal(file), "quickstart [1]", steps=20, start=7)
    track.say("replay parity holds")
    track.write(7, {"reward": 0.5, "kl": 0.125, "seconds/rollout": 2.0, "seconds/update": 3.0})
    track.close()
    assert isinstance(track, Bar)
    shown = file.getvalue()
    assert "7/20" in shown
    assert "8/20" in shown
    for part in ("quickstart [1]", "replay parity holds", "reward 0.5  kl 0.125", "(rollout 2 s, update 3 s)"):
        assert part in shown


def test_a_resumed_run_tells_the_time_left_from_its_own_steps_only(monkeypatch: pytest.MonkeyPatch):
    clock = iter([100.0, 160.0])
    monkeypatch.setattr("margrpo.components.tracker.console.monotonic", lambda: next(clock))
    file = io.StringIO()
    track = Console(every=1).open_on(plain(file), "a run", steps=10, start=6)
    track.write(6, {})
    assert file.getvalue().endswith("3:00 left\n")


@given(seconds=st.integers(0, 10**6))
def test_a_duration_reads_back_as_its_seconds(seconds: int):
    total = 0
    for part in duration(seconds).split(":"):
        total = 60 * total + int(part)
    assert total == seconds


def test_an_interval_of_no_steps_is_refused():
    with pytest.raises(SettingError, match="every = 0 must be greater than 0"):
        Console(every=0)
