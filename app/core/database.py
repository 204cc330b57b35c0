"""The synchronous database: declarative base and sessions over the engines."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from app.core.commits import Stake, watch
from app.core.commits import commit as commit_watched
from app.core.engines import connected, get_engine, new_engine
from app.core.errors import LockTimedOut
from app.core.exits import DONE
from app.core.locks import limit_waits
from app.core.types import JSON_OBJECT, METADATA, UTCDateTime
from seedrail import LockTimeout


class Base(DeclarativeBase):
    """The declarative base of every model."""

    metadata = METADATA


@contextmanager
def transaction(*, commit: bool = True, stake: Stake | None = None) -> Iterator[Session]:
    """A session in a transaction of its own, for a script: committed at the end, unless it only tries.

    `stake` is told what becomes of the commit. Raises what `connected` does in place of the driver's errors,
    LockTimedOut, CommitLost and CommitUnknown.
    """
    committed = False
    try:
        with connected(get_engine()) as connection, Session(connection, expire_on_commit=False) as session:
            # Where it begins: a transaction that had begun before would not be the session's to commit.
            event.listen(session, "after_begin", lambda _, __, begun: limit_waits(begun))
            added = watch(session)
            yield session
            if commit:
                commit_watched(session, connection, added, stake or Stake())
                committed = True
    except LockTimeout as error:
        raise LockTimedOut(error.seconds) from None
    except KeyboardInterrupt as interrupt:
        if not committed:
            raise
        raise KeyboardInterrupt(DONE) from interrupt


def new_session() -> Session:
    """A session on the process's engine; the caller owns its transaction."""
    return sessionmaker(get_engine(), expire_on_commit=False)()


__all__ = [
    "JSON_OBJECT",
    "Base",
    "UTCDateTime",
    "connected",
    "get_engine",
    "new_engine",
    "new_session",
    "transaction",
]
