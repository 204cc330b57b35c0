"""Exit codes of the database scripts, and the errors behind them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError

from app.core.errors import AppError, ConfigurationError, DatabaseUnavailable
from app.seeding import OptionError

REFUSED, MISCONFIGURED, UNREACHABLE, INTERRUPTED = 1, 2, 6, 130

_CODES = {
    ConfigurationError: MISCONFIGURED,
    OptionError: MISCONFIGURED,
    DatabaseUnavailable: UNREACHABLE,
}

EXIT_CODES = (
    "Exit codes: 0 done, or nothing to do; 1 refused, nothing was written; 2 wrong usage or settings;"
    " 6 the database cannot be used; 130 interrupted."
)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn expected errors into one message on stderr and their exit code."""
    try:
        yield
    except (AppError, CommandError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        raise SystemExit(_CODES.get(type(error), REFUSED)) from None
    except KeyboardInterrupt:
        print("interrupted, nothing was written", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
