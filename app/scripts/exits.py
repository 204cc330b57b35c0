"""Exit codes of the scripts, and the errors behind them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer
from alembic.util import CommandError

from app.core.errors import (
    AppError,
    ConfigurationError,
    DatabaseUnavailable,
    LockTimedOut,
    OutputError,
    SchemaBehind,
)
from app.features.users.errors import AccountConflict, AccountNotFound, InvalidName, PolicyError
from app.seeding import OptionError
from app.seeding.quoting import defused

REFUSED, INTERRUPTED = 1, 130

_CODES: dict[type[Exception], int] = {
    ConfigurationError: 2,
    OptionError: 2,
    InvalidName: 2,
    AccountConflict: 3,
    PolicyError: 4,
    AccountNotFound: 5,
    DatabaseUnavailable: 6,
    SchemaBehind: 6,
    LockTimedOut: 7,
    OutputError: 8,
}

EXIT_CODES = (
    "Exit codes: 0 done, or nothing to do; 1 refused, nothing was written; 2 wrong usage or settings;"
    " 6 the database cannot be used; 130 interrupted."
)
"""Of the database scripts."""

ACCOUNT_EXIT_CODES = (
    "Exit codes: 0 done, or already so; 2 wrong usage or settings; 3 conflict with what is there;"
    " 4 against the policy (password, expiry, scope); 5 not found; 6 the database cannot be reached or is"
    " behind the newest schema; 7 lock timeout; 8 the output cannot be written; 130 interrupted."
)
"""Of the account scripts."""


def say(message: str) -> None:
    """A message, never part of the result; where stderr is closed or full, it is dropped."""
    # print(file=None) would go to standard output.
    if sys.stderr is not None:
        with suppress(OSError):
            print(defused(message), file=sys.stderr)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn expected errors into one message on stderr and their exit code."""
    try:
        yield
    except (AppError, CommandError) as error:
        say(f"ERROR: {error}")
        raise SystemExit(_code(error)) from None
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted, nothing was written")
        raise SystemExit(INTERRUPTED) from None


def _code(error: Exception) -> int:
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), REFUSED)
