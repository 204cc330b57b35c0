"""What somebody who waits for a move is shown: a bar, a line now and then, or nothing."""

import logging
from io import StringIO

import pytest

from seedrail import progress
from seedrail.progress import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which tests set."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_at_a_terminal_a_bar_appears_after_a_second_with_rows_rate_and_phase(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with Progress(shown=True) as shown:
        shown.begin("staging", 1_000)
        clock[0] += 0.5
        shown.work(250)
        shown.advance(10_000)
        assert screen.getvalue() == ""
        clock[0] += 1.5
        shown.work(250)
        shown.advance(10_000)
        shown.begin("applying", 20_000)
        clock[0] += 1
        shown.work(20_000)
        shown.advance(20_000)
    assert "staging" in screen.getvalue()
    assert "applying" in screen.getvalue()
    assert "20,000 rows, 20,000 a second" in screen.getvalue()


def test_elsewhere_a_line_is_logged_every_ten_seconds(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.stderr", StringIO())
    with caplog.at_level(logging.INFO), Progress(shown=True) as shown:
        shown.begin("staging", 0)
        for _ in range(7):
            clock[0] += 4
            shown.advance(8_000)
    assert caplog.messages == [
        "staging: 24,000 rows so far, 2,000 a second",
        "staging: 48,000 rows so far, 2,000 a second",
    ]


def test_a_quiet_run_says_nothing(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with caplog.at_level(logging.INFO), Progress(shown=False) as shown:
        shown.begin("staging", 10)
        clock[0] += 60
        shown.advance(10)
    assert (screen.getvalue(), caplog.messages) == ("", [])
