"""What a database's own errors mean: one sentence each, told by their codes and not by their words.

The words are the server's language and version; its SQLSTATE, or SQLite's result code, is neither.
"""

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

from sqlalchemy.exc import DBAPIError

from seedrail.errors import Deadlock, LockTimeout, SeedError
from seedrail.quoting import escaped, shown

UNUSABLE, ENDED = 6, 1
"""Exit codes: somebody has to do something about the database, or the run may just be repeated."""


@dataclass(frozen=True)
class Kind:
    """One kind of failure: what it usually means and what to do, and the codes that tell it.

    `sqlstates` are PostgreSQL's codes, or their classes of two characters; `sqlite` are primary result codes.
    """

    name: str
    advice: str
    sqlstates: tuple[str, ...] = ()
    sqlite: tuple[int, ...] = ()
    exit_code: int = UNUSABLE


LOCKED = Kind(
    "locked",
    "another transaction holds what this one needs: wait for it to end, and run the same command again",
    ("55P03",),
    (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
    ENDED,
)
DEADLOCK = Kind(
    "deadlock",
    "two transactions waited for each other: run the same command again",
    ("40P01",),
    exit_code=ENDED,
)
READ_ONLY = Kind(
    "read-only",
    "nothing can be written here: it is a standby, default_transaction_read_only is on for the role or"
    " the database, or the file, its folder or its URL (mode=ro) allows reading alone",
    ("25006",),
    (sqlite3.SQLITE_READONLY,),
)
LOST = Kind(
    "lost",
    "the connection is gone: see to the server, then run the same command again; it sees for itself whether"
    " the last commit was still made",
    ("08", "57P", "28", "3D"),
)
UNREACHED = Kind(
    "unreached",
    "no connection was had: look whether the server runs, and whether DATABASE_URL has the right host, port,"
    " user, password and name of a database",
)
RIGHT = Kind(
    "right",
    "the role lacks a right: let the owner grant it, or connect as the owner; a run needs CREATE on the"
    " schema, TEMPORARY on the database, and to read and lock the tables that point at seeded ones",
    ("42501",),
    (sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH),
)
REFUSED = Kind(
    "refused",
    "the tables are probably not as the revisions expect them, or hold what a revision does not allow for:"
    " compare them with the models (alembic current, alembic check)",
    exit_code=ENDED,
)
NOT_TEXT = Kind(
    "not text",
    "a text in the database is not in its encoding, and cannot be read: look for bytes that were stored as"
    " text, and for a database whose encoding is SQL_ASCII",
    ("22021",),
)
NO_SCHEMA = Kind(
    "no schema",
    "no schema of the search path exists, or the role has no USAGE on it: create it, grant the right, or"
    " name another one",
    ("3F000",),
)

UNIQUE = Kind(
    "unique",
    "a constraint of the tables forbids it: look for a live row that takes the same unique value, or correct"
    " the document and its revision",
    ("23505",),
    (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY),
    ENDED,
)
KINDS = (
    LOCKED,
    DEADLOCK,
    Kind(
        "conflict",
        "another transaction changed the same rows at the same time: run the same command again",
        ("40",),
        exit_code=ENDED,
    ),
    RIGHT,
    READ_ONLY,
    Kind(
        "time limit",
        "a time limit of the role, the database or the URL ran out, or somebody cancelled the statement: run"
        " the same command again, or with more time (ALTER ROLE … SET statement_timeout = 0)",
        ("57014", "25P03", "25P04", "57P05"),
        (sqlite3.SQLITE_INTERRUPT,),
        ENDED,
    ),
    Kind(
        "no room",
        "the database has reached a limit of its disk, memory, connections or size: make room, or raise the"
        " limit, and run the same command again",
        ("53", "54"),
        (sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG),
    ),
    LOST,
    Kind(
        "encoding",
        "the database's encoding lacks a character of the seed: create the database with ENCODING 'UTF8'",
        ("22P05",),
    ),
    NOT_TEXT,
    NO_SCHEMA,
    Kind(
        "damaged",
        "the file or the storage below it is damaged, or is no database: restore it from a backup, or name"
        " the right file",
        ("XX", "58"),
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FORMAT),
    ),
    Kind(
        "file",
        "look whether the folder exists, the path names a file, and both may be read and written",
        sqlite=(sqlite3.SQLITE_CANTOPEN,),
    ),
    UNIQUE,
    Kind(
        "empty",
        "a column that must have a value is left empty: let the seed name it, or a schema revision give it a"
        " default",
        ("23502",),
        (sqlite3.SQLITE_CONSTRAINT_NOTNULL,),
        ENDED,
    ),
    Kind(
        "constraint",
        "a constraint of the tables forbids a row: correct the document and its revision, or the constraint",
        ("23",),
        (sqlite3.SQLITE_CONSTRAINT,),
        ENDED,
    ),
    Kind(
        "value",
        "a value does not fit its column as it is now: correct the document, or the column's type by a schema"
        " revision; what earlier seed revisions hold has to fit, too",
        ("22",),
        (sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG),
        ENDED,
    ),
)

_BY_SQLSTATE = {code: kind for kind in KINDS for code in kind.sqlstates}
_BY_SQLITE = {code: kind for kind in KINDS for code in kind.sqlite}


class DatabaseFailure(SeedError):
    """The database ended the run, or refused a statement of it.

    `reason` is the first line of what it said, without the values of rows.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        self.kind, self.reason, self.exit_code = kind, reason, kind.exit_code
        said = "cannot be used" if kind.exit_code == UNUSABLE else "ended the run"
        # A connection that is lost while it commits leaves that open.
        written = "" if kind is LOST else "; nothing was written"
        super().__init__(f"the database {said}: {reason}{written}\n  {kind.advice}")


@contextmanager
def named_failures(seconds: float | None = None) -> Iterator[None]:
    """In place of a driver's error: DatabaseFailure, Deadlock, or LockTimeout after `seconds`."""
    try:
        yield
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        if failure.kind is LOCKED:
            raise LockTimeout(seconds) from error
        if failure.kind is DEADLOCK:
            raise Deadlock from error
        raise failure from error


def failure_of(error: BaseException) -> DatabaseFailure | None:
    """What a driver's error means, SQLAlchemy's around it or not; None for any other error."""
    cause: Any = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(cause, sqlite3.Error):
        return DatabaseFailure(_kind_in_sqlite(cause), _reason(cause))
    if isinstance(error, DBAPIError) or isinstance(cause, _drivers_errors()):
        return DatabaseFailure(_kind_on_a_server(cause), _reason(cause))
    if isinstance(cause, UnicodeError) and _is_a_drivers(cause):
        return DatabaseFailure(NOT_TEXT, _reason(cause))
    return None


def _kind_in_sqlite(cause: sqlite3.Error) -> Kind:
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        # SQLite itself is content; the module could not decode what it was given.
        return NOT_TEXT if isinstance(cause, sqlite3.OperationalError) else REFUSED
    # The upper bits say more about the same.
    return _BY_SQLITE.get(code) or _BY_SQLITE.get(code & 0xFF, REFUSED)


def _kind_on_a_server(cause: Any) -> Kind:
    code = getattr(cause, "sqlstate", None)
    if code is None:
        # Without a code it is not the server that speaks: the driver lost it, or never reached it.
        return LOST if type(cause).__name__ in ("OperationalError", "ConnectionTimeout") else REFUSED
    return next((_BY_SQLSTATE[part] for part in (code, code[:3], code[:2]) if part in _BY_SQLSTATE), REFUSED)


def _drivers_errors() -> tuple[type[BaseException], ...]:
    # A driver that was never imported has raised nothing; importing it would cost every command.
    drivers = (sys.modules.get(name) for name in ("psycopg", "psycopg2"))
    return tuple(driver.Error for driver in drivers if driver is not None)


def _is_a_drivers(error: BaseException) -> bool:
    """Whether it was raised below a statement, and not where a file is read."""
    names = (str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(error.__traceback__))
    return any(name.startswith(("sqlalchemy.", "psycopg")) for name in names)


_VALUE = re.compile(r': ".*"', re.DOTALL)
"""Where a message about bad data quotes it: it may be somebody's."""


def _reason(cause: Any) -> str:
    """The first line of what the database said, and the object that it named."""
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    if str(getattr(cause, "sqlstate", "") or "").startswith("22"):
        said = _VALUE.sub(": …", said)
    if isinstance(cause, UnicodeError):
        said = f"{getattr(cause, 'encoding', 'text')}: {getattr(cause, 'reason', 'not text')}"
    said = said.partition(" with text '")[0]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = escaped(lines[0]) if lines else type(cause).__name__
    return reason + _subject(cause, reason)


def _subject(cause: Any, reason: str) -> str:
    diag = getattr(cause, "diag", None)
    named = [
        f"{kind} {shown(name)}"
        for kind in ("table", "column", "constraint")
        if (name := getattr(diag, f"{kind}_name", None)) and name not in reason
    ]
    return f" ({', '.join(named)})" if named else ""
