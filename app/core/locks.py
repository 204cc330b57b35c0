"""A lock for the length of a transaction, so that parallel runs come one after the other."""

from hashlib import sha256

from sqlalchemy import BigInteger, Table, cast, false, func, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core.config import LONGEST_WAIT, get_settings
from app.core.errors import ConfigurationError, LockTimedOut
from app.core.patience import PATIENCE
from seedrail import failure_of, failures

_NAMESPACE = "seedrail"
_LEVELS = ("read committed", "read uncommitted")
"""Those in which each statement sees what was committed before it; to PostgreSQL they are one."""

_WHERE = text(
    "SELECT current_setting('transaction_isolation'), nspname FROM pg_class"
    " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = CAST(:table AS regclass)"
)
"""The level of the transaction, and the schema in which it finds a table."""

_UNLESS_LIMITED = text(
    "SELECT set_config('lock_timeout', :limit, true) WHERE current_setting('lock_timeout') = '0'"
)


def take_lock(session: Session, table: Table, seconds: float | None = None) -> None:
    """Keep other takers of this table's lock out until the transaction ends; LockTimedOut after `seconds`.

    ConfigurationError in a transaction that would not see what they did: on PostgreSQL, READ COMMITTED does.
    PostgreSQL has advisory locks, which readers and other writers do not see. SQLite has one write lock, and
    gives it only to a transaction that has not read before another one wrote: take it first.
    """
    seconds = get_settings().lock_timeout if seconds is None else seconds
    if not 0 < seconds <= LONGEST_WAIT:
        raise ConfigurationError(f"a lock timeout lasts up to {LONGEST_WAIT} seconds, not {seconds:g}")
    try:
        if session.get_bind().dialect.name == "sqlite":
            # Changes nothing, and is a write for all that.
            key = next(iter(table.primary_key.columns))
            write = update(table).values({key.name: key}).where(false())
            # For the rest of the transaction, too: its commit waits for those who read.
            session.connection().execution_options(**{PATIENCE: seconds})
            session.execute(write)
        else:
            number = _key_on_postgresql(session, table)
            # Stays for the rest of the transaction, whose writes may have to wait for others' rows.
            session.execute(select(func.set_config("lock_timeout", _limit(seconds), True)))
            session.execute(select(func.pg_advisory_xact_lock(cast(number, BigInteger))))
    except DBAPIError as error:
        failure = failure_of(error)
        if failure is not None and failure.kind is failures.LOCKED:
            raise LockTimedOut(seconds) from None
        raise


def limit_waits(connection: Connection) -> None:
    """Let no statement of a transaction wait for others' locks for longer than the setting says.

    Reading waits too, for whoever changes a table's definition. A limit that the role or the database has
    stays. SQLite's engines have theirs.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_UNLESS_LIMITED, {"limit": _limit(get_settings().lock_timeout)})


def _limit(seconds: float) -> str:
    """Seconds as PostgreSQL's `lock_timeout`, to which 0 would be no limit."""
    return f"{max(1, round(seconds * 1000))}ms"


def _key_on_postgresql(session: Session, table: Table) -> int:
    """The key of the table's advisory lock; ConfigurationError in a transaction that the lock is no use to.

    An advisory lock needs no right on a table and hinders no vacuum, but all who take one in a database share
    one space of keys. This key is 64 bits of the project, the schema and the table: nobody else comes upon
    it, and another schema's tables have one of their own.
    """
    driver = session.connection().connection.dbapi_connection
    if driver is not None and session.connection().dialect.detect_autocommit_setting(driver):
        raise ConfigurationError(
            "a session in autocommit has no transaction that could hold a lock: use one of READ COMMITTED"
        )
    name = session.connection().dialect.identifier_preparer.format_table(table)
    level, schema = session.execute(_WHERE, {"table": name}).one()
    if level not in _LEVELS:
        raise ConfigurationError(
            f"a transaction of {level.upper()} does not see what others did while it waited for its lock:"
            " use a session of READ COMMITTED, as the application's own are"
        )
    digest = sha256("\0".join([_NAMESPACE, schema, table.name]).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
