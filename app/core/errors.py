"""The errors of the application: sentences for an operator, never a traceback."""

import re

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from app.seeding.quoting import defused

_LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's name for a lock that was not had in time."""

_SECRET = re.compile(r"(password=)[^&\s]*", re.IGNORECASE)


def shown_url(url: URL) -> str:
    """A URL for people: without its password, or those among its options, which SQLAlchemy shows."""
    return _SECRET.sub(r"\1***", url.render_as_string(hide_password=True))


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether a driver's error says that a lock was not had in time."""
    locked = "database is locked" in str(error.orig)
    return locked or getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


class AppError(Exception):
    """The base of everything that is reported as a message with a non-zero exit code."""

    def __init__(self, message: str) -> None:
        super().__init__(defused(message))


class ConfigurationError(AppError):
    """A setting is missing, malformed or contradicts another one."""


class DatabaseUnavailable(AppError):
    """The database refused, timed out or does not exist.

    Built from the URL without its passwords and the driver's first line.
    """

    def __init__(self, url: URL, cause: BaseException) -> None:
        self.url = shown_url(url)
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        reason = lines[0] if lines else type(cause).__name__
        super().__init__(f"cannot use the database {self.url}: {reason}")


class OutputError(AppError):
    """What was asked for cannot be written."""


class SchemaBehind(AppError):
    """The database does not have the schema that this version of the project works with."""


class LockTimedOut(AppError):
    """Another transaction held a lock for longer than this one may wait."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        waited = "" if seconds is None else f" after {seconds:g} s"
        super().__init__(
            f"another run holds the lock; gave up{waited}, nothing was changed\n"
            "  wait for it to end and run the same command again, or give it more time"
        )
