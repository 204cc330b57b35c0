"""How scripts begin and end: their streams, their exit codes, and the errors behind them."""

import errno
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer
from alembic.util import CommandError

from app.core.errors import AppError, OutputError
from app.core.exits import end_of, exit_code_of, note_commit, wants_traceback
from app.core.signals import signals_heeded
from app.core.streams import Closed, Output, finish, say, speak_utf8

MEANINGS = {
    0: "done, or nothing to do",
    1: "refused, or ended by the database: nothing was written",
    2: "wrong usage or settings",
    6: "the database cannot be used",
    8: "the output cannot be written",
    129: "hung up (SIGHUP)",
    130: "interrupted",
    143: "terminated (SIGTERM)",
}
"""Exit codes of the database scripts, and of alembic in this project."""

ACCOUNT_MEANINGS = {
    0: "done, or already so",
    1: "ended by the database: nothing was written",
    2: "wrong usage or settings",
    3: "conflict with what is there",
    4: "against the policy (password, expiry, scope)",
    5: "not found",
    6: "the database cannot be used or is behind the newest schema",
    7: "lock timeout",
    8: "the output cannot be written",
    9: "nobody knows whether it was done: the answer to the commit is lost",
    10: "tokens expire soon (--check-expiry)",
    129: "hung up (SIGHUP)",
    130: "interrupted",
    143: "terminated (SIGTERM)",
}
"""Those of the account scripts."""


def _told(meanings: Mapping[int, str]) -> str:
    """How the help of a script says what it ends with."""
    return f"Exit codes: {'; '.join(f'{code} {means}' for code, means in meanings.items())}."


EXIT_CODES, ACCOUNT_EXIT_CODES = _told(MEANINGS), _told(ACCOUNT_MEANINGS)

TOKENS_EXPIRE = 10
"""What --check-expiry ends with where it finds some, so that a scheduled run can raise an alarm."""


def run(app: typer.Typer) -> None:
    """Be the script of this process."""
    speak_utf8()
    try:
        try:
            with signals_heeded():
                app()
        finally:
            finish()
    except OutputError as error:
        say(f"ERROR: {error}")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt as interrupt:
        # Behind the command's own end, while the streams are flushed.
        raise end_of(interrupt) from None
    except OSError as error:
        # Of --help alone: whatever else is written or read has its own words.
        if error.errno not in (errno.ENOSPC, errno.EPIPE) or error.filename is not None:
            raise
        say(f"ERROR: cannot write to standard output: {error.strerror}")
        raise SystemExit(OutputError.exit_code) from None


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn expected errors into one message on stderr and their exit code."""
    note_commit(False)
    try:
        yield
    except (AppError, CommandError) as error:
        if wants_traceback():
            raise
        say(f"ERROR: {error}")
        raise SystemExit(exit_code_of(error)) from None
    except (KeyboardInterrupt, typer.Abort) as interrupt:
        raise end_of(interrupt) from None


def close_with(line: str) -> None:
    """The last line of a script that has changed the database: OutputError says that it did."""
    if isinstance(sys.stdout, Closed):
        # Somebody wanted no output.
        return
    try:
        output = Output()
        output.write(line + "\n")
        output.flush()
    except OutputError as error:
        raise OutputError(f"{error}; what was asked for is done: {line}") from None
