"""How far a move is: a bar for somebody at a terminal, a line now and then for a log, or nothing."""

import logging
import sys
import time
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds after which somebody at a terminal is shown a bar."""
INTERVAL = 10.0
"""Seconds between two lines of a log."""


class Progress:
    """The progress of a move, whose rows are staged and then applied, or of anything else that has phases.

    The work of a phase is counted in units (bytes of change files, rows to write, elements of a document);
    rows are shown.
    """

    def __init__(self, *, shown: bool) -> None:
        self.shown = shown
        self.terminal = shown and sys.stderr.isatty()
        self._start = self._began = self._said = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self.phase, self.total, self.done, self.rows = "", 0, 0, 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, phase: str, total: int) -> None:
        """A phase of so many units of work begins."""
        self.phase, self.total, self.done, self.rows = phase, total, 0, 0
        self._began = time.monotonic()
        if self._bar is not None:
            self._bar.reset(self._task, total=total or None, description=phase, rows="")

    def work(self, units: int) -> None:
        """Units of the phase's work are done."""
        self.done += units

    def made(self, rows: int) -> None:
        """Rows are done, which are the units of this phase."""
        self.work(rows)
        self.advance(rows)

    def advance(self, rows: int) -> None:
        """Rows have arrived."""
        self.rows += rows
        if not self.shown:
            return
        now = time.monotonic()
        rate = self.rows / max(now - self._began, 1e-6)
        if self.terminal:
            self._draw(now, rate)
        elif now - self._said >= INTERVAL:
            self._said = now
            log.info("%s: %s rows so far, %s a second", self.phase, f"{self.rows:,}", f"{rate:,.0f}")

    def _draw(self, now: float, rate: float) -> None:
        if self._bar is None:
            if now - self._start < PATIENCE:
                return
            self._bar, self._task = _bar(self.phase, self.total)
        self._bar.update(
            self._task,
            completed=min(self.done, self.total),
            rows=f"{self.rows:,} rows, {rate:,.0f} a second",
        )


def _bar(phase: str, total: int) -> tuple[Any, Any]:
    # Only those who wait for more than a second need it.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar, bar.add_task(phase, total=total or None, rows="")
