"""What tells whether a commit was made whose answer is lost: it is looked up on another connection."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from seedrail import failure_of, failures

PATIENCE = 15.0
"""Seconds for which an answer is looked for: a server that restarts needs some."""

ORPHANED = 2.0
"""Seconds after which a transaction that goes on without this process is ended."""

_PAUSE = 0.2


class Verdict(Enum):
    """What became of a commit."""

    MADE = "made"
    NOT_MADE = "not made"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Witness:
    """What tells later whether a commit was made: its number in PostgreSQL, and the rows that it adds."""

    number: str | None
    rows: Sequence[tuple[type[Any], Any]]

    def __bool__(self) -> bool:
        return bool(self.number or self.rows)


def witness_of(connection: Connection, added: Sequence[Any]) -> Witness:
    """The witness of the transaction that a connection is in, which has added these objects."""
    number = None
    if connection.dialect.name == "postgresql":
        # As text: the number is one of 64 bits that no driver has a type for.
        number = connection.scalar(text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)"))
    return Witness(number, [(type(one), inspect(one).identity) for one in added])


def look_for(engine: Engine, witness: Witness) -> Verdict:
    """What became of the commit, as far as the database tells within some seconds."""
    started = time.monotonic()
    while True:
        waited = time.monotonic() - started
        try:
            verdict = _look(engine, witness, orphaned=waited > ORPHANED)
        except Exception as error:
            if failure_of(error) is None:
                raise
            verdict = Verdict.UNKNOWN
        if verdict is not Verdict.UNKNOWN or waited > PATIENCE:
            return verdict
        time.sleep(_PAUSE)


def _look(engine: Engine, witness: Witness, *, orphaned: bool) -> Verdict:
    if witness.number is None:
        found = _is_there(engine, witness)
        return {True: Verdict.MADE, False: Verdict.NOT_MADE, None: Verdict.UNKNOWN}[found]
    status = _status(engine, witness.number)
    if status == "in progress":
        if orphaned:
            _end_orphan(engine, witness.number)
        return Verdict.UNKNOWN
    # A server that took the place of the first may know another transaction of that number, or none.
    found = _is_there(engine, witness)
    if found or (status == "committed" and found is None):
        return Verdict.MADE
    return Verdict.NOT_MADE if status == "aborted" else Verdict.UNKNOWN


def _status(engine: Engine, number: str) -> str | None:
    try:
        with engine.connect() as connection:
            asked = text("SELECT pg_xact_status(CAST(:number AS xid8))")
            status: str | None = connection.scalar(asked, {"number": number})
            return status
    except DBAPIError as error:
        failure = failure_of(error)
        if failure is None or failure.kind is failures.LOST:
            raise
        # Of a number that this server has not come to, it says so by an error.
        return None


def _end_orphan(engine: Engine, number: str) -> None:
    """End the server's side of a connection that was cut: it holds the lock, and would wait for hours."""
    with suppress(DBAPIError), engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_xid = CAST(CAST(:number AS xid8) AS xid)"
            ),
            {"number": number},
        )


def _is_there(engine: Engine, witness: Witness) -> bool | None:
    """Whether a row that was added is there; None where none may be read."""
    found = None
    for kind, identity in witness.rows:
        try:
            with engine.connect() as connection, Session(connection) as session:
                if session.get(kind, identity) is not None:
                    return True
                found = False
        except DBAPIError as error:
            failure = failure_of(error)
            if failure is None or failure.kind is not failures.RIGHT:
                raise
    return found
