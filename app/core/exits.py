"""What commands end with: one code for a fault, whichever command meets it."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.config import get_settings
from app.core.errors import ConfigurationError

REFUSED, INTERRUPTED = 1, 130

NOTHING_WRITTEN = "interrupted, nothing was written"
"""What is said of an interrupt that says nothing of itself."""


@contextmanager
def after_commit() -> Iterator[None]:
    """For what a command does when its work is committed: an interrupt from here on says so."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; what was asked for is done") from None


def exit_code_of(error: BaseException) -> int:
    """The exit code of an expected error; what says nothing of it, as Alembic's own do, is a refusal."""
    return int(getattr(error, "exit_code", REFUSED))


def wants_traceback() -> bool:
    """Whether somebody asked for tracebacks of expected errors."""
    try:
        return get_settings().traceback
    except ConfigurationError:
        return False
