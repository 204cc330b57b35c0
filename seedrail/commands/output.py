"""How commands end: results on stdout, words on stderr, and one exit code for each kind of fault."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from rich.console import Console
from rich.text import Text

from seedrail.quoting import defused

UNWRITABLE, INTERRUPTED = 8, 130
MEANINGS = {
    0: "done; of plan, status, init --dry-run and export --edited: there is nothing to do",
    1: "refused, or not to be told",
    2: "wrong usage",
    6: "the database cannot be used",
    UNWRITABLE: "the output cannot be written",
    10: "there are changes to make",
    11: "a run would be refused for conflicts",
    12: "seeded rows were edited",
    INTERRUPTED: "interrupted",
}
"""What a command ends with."""
EXIT_CODES = f"Exit codes: {'; '.join(f'{code} {means}' for code, means in MEANINGS.items())}."
"""How each command's help says so."""
_STYLES = {"+": "green", "-": "red", "!": "yellow"}


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn expected errors into one message on stderr and their exit code."""
    try:
        yield
    except CommandError as error:
        _say(f"ERROR: {defused(str(error))}")
        raise SystemExit(int(getattr(error, "exit_code", 1))) from None
    except KeyboardInterrupt:
        _say("interrupted, nothing was written")
        raise SystemExit(INTERRUPTED) from None


def write(lines: Iterable[str]) -> None:
    """Lines of a result to stdout, coloured as a diff where it is a terminal, unless NO_COLOR is set."""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    coloured = console.is_terminal and console.color_system is not None and not console.no_color
    try:
        for line in lines:
            if coloured:
                console.print(Text(line, style=_STYLES.get(line[:1], "")))
            else:
                sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"ERROR: cannot write to standard output: {error.strerror}")
        raise SystemExit(UNWRITABLE) from None


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
