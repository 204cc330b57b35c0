"""SIGTERM and SIGHUP unwind as Ctrl-C does, and a few steps are never parted by any of them."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
import typer

from app.core.exits import after_commit, interruption
from app.core.signals import Ended, signal_of, signals_heeded, signals_held

ENDING = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def strike(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_would_end_the_process_unwinds_it(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)
    with pytest.raises(Ended) as caught, signals_heeded():
        strike(number)
    assert interruption(caught.value) == (
        f"interrupted by {number.name}, nothing was written",
        128 + number,
    )
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with signals_heeded():
        strike(number)
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_signal_is_known_behind_what_a_library_makes_of_it() -> None:
    def asked() -> None:
        try:
            raise Ended(signal.SIGHUP)
        except KeyboardInterrupt:
            raise typer.Abort from None

    with pytest.raises(typer.Abort) as caught:
        asked()
    assert signal_of(caught.value) is signal.SIGHUP
    assert signal_of(typer.Abort()) is signal.SIGINT


def test_after_the_commit_an_interrupt_says_what_is_done_and_keeps_its_signal() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, after_commit():
        raise Ended(signal.SIGTERM)
    assert interruption(caught.value) == ("interrupted by SIGTERM; what was asked for is done", 143)


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_a_signal_waits_for_steps_that_belong_together(number: signal.Signals) -> None:
    steps = []

    def work() -> None:
        with signals_heeded(), signals_held():
            strike(number)
            steps.append("done")

    if number is not signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
    rests = threading.Event()
    # The system gives a signal to any thread that heeds it.
    thread = threading.Thread(target=rests.wait)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        rests.set()
        thread.join()
    assert steps == ["done"]


def test_of_several_signals_that_wait_the_first_is_raised_and_none_is_left() -> None:
    def work() -> None:
        with signals_held(), signals_held():
            strike(signal.SIGTERM)
            strike(signal.SIGINT)

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with signals_heeded():
        with pytest.raises(Ended) as caught:
            work()
        assert caught.value.number is signal.SIGTERM
        with signals_held():
            pass
