"""The errors of the application: sentences for an operator, never a traceback."""

import re

from sqlalchemy.engine import URL

from app.seeding.failures import DatabaseFailure, failure_of
from app.seeding.quoting import defused

_SECRET = re.compile(r"(password=)[^&\s]*", re.IGNORECASE)


def shown_url(url: URL) -> str:
    """A URL for people: without its password, or those among its options, which SQLAlchemy shows."""
    return _SECRET.sub(r"\1***", url.render_as_string(hide_password=True))


class AppError(Exception):
    """The base of everything that is reported as a message with a non-zero exit code."""

    exit_code = 1
    """What a command ends with."""

    def __init__(self, message: str) -> None:
        super().__init__(defused(message))


class ConfigurationError(AppError):
    """A setting is missing, malformed or contradicts another one."""

    exit_code = 2


class DatabaseUnavailable(AppError):
    """The database refused, timed out or does not exist.

    Built from the URL without its passwords, the driver's first line, and what that usually means.
    """

    exit_code = 6

    def __init__(self, url: URL, cause: BaseException) -> None:
        self.url = shown_url(url)
        failure = cause if isinstance(cause, DatabaseFailure) else failure_of(cause)
        if failure is not None:
            super().__init__(f"cannot use the database {self.url}: {failure.reason}\n  {failure.kind.advice}")
            return
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        reason = lines[0] if lines else type(cause).__name__
        super().__init__(f"cannot use the database {self.url}: {reason}")


class OutputError(AppError):
    """What was asked for cannot be written."""

    exit_code = 8


class SchemaBehind(AppError):
    """The database does not have the schema that this version of the project works with."""

    exit_code = 6


class LockTimedOut(AppError):
    """Another transaction held a lock for longer than this one may wait."""

    exit_code = 7

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        waited = "" if seconds is None else f" after {seconds:g} s"
        super().__init__(
            f"another run holds the lock; gave up{waited}, nothing was changed\n"
            "  wait for it to end and run the same command again, or give it more time"
        )
