"""What commands end with: one code for a fault, whichever command meets it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.core.signals import signal_of
from app.core.streams import say

REFUSED = 1
HUNG_UP, INTERRUPTED, TERMINATED = (128 + s for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
"""As a shell reports a process that a signal has ended."""

DONE = "what was asked for is done"
"""What an interrupt says that came too late."""


_committed: ContextVar[bool] = ContextVar("committed", default=False)


def note_commit(committed: bool = True) -> None:
    """From now on an interrupt of this command says that its work is done; at its beginning, that it is not.

    A signal may come between any two steps, and the way out of a commit has many that no block is around.
    """
    _committed.set(committed)


@contextmanager
def after_commit() -> Iterator[None]:
    """For what a command does when its work is committed: an interrupt from here on says so."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        # From it, for its signal is the exit code.
        raise KeyboardInterrupt(DONE) from interrupt


def interruption(interrupt: BaseException) -> tuple[str, int]:
    """The sentence of an interrupt, which says what it left behind, and the exit code of its signal."""
    number = signal_of(interrupt)
    by = "" if number is signal.SIGINT else f" by {number.name}"
    done = str(interrupt) or (DONE if _committed.get() else "")
    left = f"; {done}" if done else ", nothing was written"
    return f"interrupted{by}{left}", 128 + number


def end_of(interrupt: BaseException) -> SystemExit:
    """What a command raises in place of an interrupt, behind its sentence."""
    sentence, code = interruption(interrupt)
    say(sentence)
    return SystemExit(code)


def exit_code_of(error: BaseException) -> int:
    """The exit code of an expected error; what says nothing of it, as Alembic's own do, is a refusal."""
    return int(getattr(error, "exit_code", REFUSED))


def wants_traceback() -> bool:
    """Whether somebody asked for tracebacks of expected errors."""
    try:
        return get_settings().traceback
    except ConfigurationError:
        return False
