"""A lock for the length of a transaction, so that parallel runs come one after the other."""

import zlib

from sqlalchemy import Table, false, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core.config import get_settings
from app.core.errors import ConfigurationError, LockTimedOut
from app.core.patience import PATIENCE
from app.seeding.failures import LOCKED, failure_of

_NAMESPACE = 0x5EED
_LONGEST = 86_400


def take_lock(session: Session, table: Table, seconds: float | None = None) -> None:
    """Keep other takers of this table's lock out until the transaction ends; LockTimedOut after `seconds`.

    PostgreSQL has advisory locks, which readers and other writers do not see. SQLite has one write lock, and
    gives it only to a transaction that has not read before another one wrote: take it first.
    """
    seconds = get_settings().lock_timeout if seconds is None else seconds
    if not 0 < seconds <= _LONGEST:
        raise ConfigurationError(f"a lock timeout lasts up to {_LONGEST} seconds, not {seconds:g}")
    milliseconds = max(1, round(seconds * 1000))
    try:
        if session.get_bind().dialect.name == "sqlite":
            # Changes nothing, and is a write for all that.
            key = next(iter(table.primary_key.columns))
            write = update(table).values({key.name: key}).where(false())
            session.execute(write, execution_options={PATIENCE: seconds})
        else:
            session.execute(select(func.set_config("lock_timeout", f"{milliseconds}ms", True)))
            number = zlib.crc32(table.name.encode()) & 0x7FFF_FFFF
            session.execute(select(func.pg_advisory_xact_lock(_NAMESPACE, number)))
    except DBAPIError as error:
        failure = failure_of(error)
        if failure is not None and failure.kind is LOCKED:
            raise LockTimedOut(seconds) from None
        raise
