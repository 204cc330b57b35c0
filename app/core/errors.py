"""The errors of the application: sentences for an operator, never a traceback."""

from sqlalchemy.engine import URL

from app.core.rights import grant_for
from app.core.shown_urls import shown_url, without_values
from seedrail import DatabaseFailure, defused, failure_of


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
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        reason = failure.reason if failure else lines[0] if lines else type(cause).__name__
        said = without_values(reason, url)
        self.quotes_the_url = said != reason
        """Whether the driver's own error shows what this one does not."""
        advice = f"\n  {grant_for(failure, url) or failure.kind.advice}" if failure else ""
        self.reason = said
        """What the driver said, without what the URL does not show."""
        super().__init__(f"cannot use the database {self.url}: {said}{advice}")


class OutputError(AppError):
    """What was asked for cannot be written."""

    exit_code = 8


class CommitLost(AppError):
    """The connection was lost at the commit, and the commit was not made: somebody looked."""

    exit_code = 6

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the connection was lost at the commit: {reason}; it was not made, and nothing was written\n"
            "  see to the server, then run the same command again"
        )


class CommitUnknown(AppError):
    """The answer to the commit is lost, and nobody can tell whether it was made."""

    exit_code = 9

    def __init__(self, reason: str, left: str = "", advice: str = "") -> None:
        self.reason = reason
        advice = advice or "see to the server, then run the same command again: it finds what is there"
        super().__init__(
            f"the answer to the commit is lost: {reason}; what was asked for may be done, or not\n"
            f"{left and f'  {left}{chr(10)}'}  {advice}"
        )


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
