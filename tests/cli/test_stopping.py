import signal

import pytest

from margrpo.cli.stopping import stopping


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
