"""Commits whose answer is lost: whether they were made is looked up, and said where nobody can tell."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from types import FrameType
from typing import Any

from sqlalchemy import Engine, event, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core.errors import CommitLost, CommitUnknown, OutputError
from app.core.exits import DONE, after_commit
from app.core.signals import signals_held
from app.core.streams import say
from seedrail.failures import LOCKED, LOST, RIGHT, failure_of

ANSWERED_WITHIN = 60.0
"""Seconds for which an answer is waited for: a commit writes a few rows."""

PATIENCE = 15.0
"""Seconds for which an answer is looked for: a server that restarts needs some."""

ORPHANED = 2.0
"""Seconds after which a transaction that goes on without this process is ended."""

_PAUSE = 0.2


class Stake:
    """What depends on a commit, such as a file with a secret; this one is nothing."""

    def begin(self) -> None:
        """The commit is asked for: from now on it may be made, whatever is heard of it."""

    def won(self) -> None:
        """It was made, which may be told twice; no signal comes between."""

    def lost(self) -> None:
        """It was not made, and never will be."""


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


def watch(session: Session) -> list[Any]:
    """The objects that a session adds, as it goes on."""
    added: list[Any] = []
    event.listen(session, "pending_to_persistent", lambda _, one: added.append(one))
    return added


def commit(session: Session, connection: Connection, added: Sequence[Any], stake: Stake) -> None:
    """Commit, and settle what depends on it.

    Raises CommitLost where the answer was lost and the commit was not made, CommitUnknown where nobody can
    tell; an interrupt that came too late says that the work is done.
    """
    session.flush()
    witness = _witness(connection, added)
    made = False
    try:
        stake.begin()
        with _answered(connection):
            session.commit()
            made = True
        with signals_held():
            stake.won()
    except OutputError:
        raise
    except BaseException as error:
        if not made:
            _settle(error, connection, witness, stake)
        if not isinstance(error, Exception):
            with signals_held():
                stake.won()
            raise KeyboardInterrupt(DONE) from error
        say("the connection was lost at the commit, which was made all the same")
        with after_commit(), signals_held():
            stake.won()


@contextmanager
def _answered(connection: Connection) -> Iterator[None]:
    """Raise TimeoutError where a server's answer stays away: a connection may be cut without a word."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer came within {ANSWERED_WITHIN:g} s")

    if connection.dialect.name == "sqlite" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, ANSWERED_WITHIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _witness(connection: Connection, added: Sequence[Any]) -> Witness:
    number = None
    if connection.dialect.name == "postgresql":
        # As text: the number is one of 64 bits that no driver has a type for.
        number = connection.scalar(text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)"))
    return Witness(number, [(type(one), inspect(one).identity) for one in added])


def _settle(error: BaseException, connection: Connection, witness: Witness, stake: Stake) -> None:
    """Return where the commit was made all the same; otherwise raise what became of it."""
    if not witness or _is_an_answer(error, connection):
        stake.lost()
        raise error
    with suppress(Exception):
        # Closed without a word: it may hang, or hold what is to be looked at.
        connection.invalidate()
    failure = failure_of(error)
    reason = failure.reason if failure else (str(error) or "interrupted")
    try:
        verdict = _look_for(connection.engine, witness)
    except KeyboardInterrupt as interrupt:
        raise CommitUnknown(reason) from interrupt
    if verdict is Verdict.UNKNOWN:
        raise CommitUnknown(reason) from error
    if verdict is Verdict.NOT_MADE:
        stake.lost()
        if not isinstance(error, Exception):
            raise error
        raise CommitLost(reason) from error


def _is_an_answer(error: BaseException, connection: Connection) -> bool:
    """Whether the database itself said that it did not commit."""
    failure = failure_of(error) if isinstance(error, DBAPIError) else None
    if failure is None:
        return False
    if connection.dialect.name == "sqlite":
        return failure.kind is LOCKED
    return failure.kind is not LOST and not getattr(error, "connection_invalidated", True)


def _look_for(engine: Engine, witness: Witness) -> Verdict:
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
        if failure is None or failure.kind is LOST:
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
            if failure is None or failure.kind is not RIGHT:
                raise
    return found
