"""Commits that something depends on: also where their answer is lost, it is told what became of them."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core.errors import CommitLost, CommitUnknown, OutputError
from app.core.exits import DONE, note_commit
from app.core.signals import signals_held
from app.core.streams import say
from app.core.witnesses import Verdict, Witness, look_for, witness_of
from seedrail import failure_of, failures

ANSWERED_WITHIN = 60.0
"""Seconds for which an answer is waited for: a commit writes a few rows."""


class Stake:
    """What depends on a commit, such as a file with a secret; this one is nothing."""

    def begin(self) -> None:
        """The commit is asked for: from now on it may be made, whatever is heard of it."""

    def won(self) -> None:
        """It was made, which may be told twice; no signal comes between."""

    def lost(self) -> None:
        """It was not made, and never will be."""


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
    witness = witness_of(connection, added)
    made = False
    try:
        stake.begin()
        with _answered(connection):
            session.commit()
            made = True
        note_commit()
        with signals_held():
            stake.won()
    except OutputError:
        raise
    except BaseException as error:
        if not made:
            _settle(error, connection, witness, stake)
        note_commit()
        with signals_held():
            stake.won()
        if not isinstance(error, Exception):
            raise KeyboardInterrupt(DONE) from error
        say("the connection was lost at the commit, which was made all the same")


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
        verdict = look_for(connection.engine, witness)
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
        return failure.kind is failures.LOCKED
    return failure.kind is not failures.LOST and not getattr(error, "connection_invalidated", True)
