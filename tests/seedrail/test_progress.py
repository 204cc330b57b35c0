"""What somebody who waits for a move is shown: a bar, a line now and then, or nothing."""

import logging
from io import StringIO
from itertools import count
from pathlib import Path

import pytest

from seedrail import progress
from seedrail.progress import Progress
from tests.support.databases import Database
from tests.support.items import Items

NAME = "seedrail.progress"


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


def test_making_a_revision_says_how_far_its_documents_and_its_file_are(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.stderr", StringIO())
    # Each look at the clock is five seconds later.
    ticks = count(step=5)
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(ticks)))
    items = Items(sqlite, tmp_path / "items")
    with caplog.at_level(logging.INFO, "seedrail.progress"):
        items.ship(*({"name": f"n{number}"} for number in range(20)))
        said = {record.getMessage().partition(":")[0] for record in caplog.records if record.name == NAME}
        assert {"reading documents", "writing changes"} <= said
        caplog.clear()
        items.check()
    assert "reading documents" in {record.getMessage().partition(":")[0] for record in caplog.records}
