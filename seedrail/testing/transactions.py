"""Transactions that are taken back, whatever is committed in them: SQLAlchemy's recipe, on SQLite too."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection, Engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

ENDED = (
    "the test ended the transaction that was to be taken back: bind its session to the connection with"
    ' join_transaction_mode="create_savepoint", and commit that'
)


@contextmanager
def rolled_back(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is taken back.

    Sessions join it with `join_transaction_mode="create_savepoint"`, and commit as they like. RuntimeError
    where the transaction itself was ended meanwhile.
    """
    with engine.connect() as connection:
        transaction = connection.begin()
        level = _begin(connection)
        try:
            yield connection
            active = transaction.is_active
        finally:
            _end(connection, transaction, level)
        if not active:
            raise RuntimeError(ENDED)


@asynccontextmanager
async def rolled_back_async(engine: "AsyncEngine") -> "AsyncIterator[AsyncConnection]":
    """The same for an asynchronous engine, and an `AsyncSession`."""
    async with engine.connect() as connection:
        transaction = await connection.begin()
        level = await connection.run_sync(_begin)
        try:
            yield connection
            active = transaction.is_active
        finally:
            await connection.run_sync(_end, transaction.sync_transaction, level)
        if not active:
            raise RuntimeError(ENDED)


def _begin(connection: Connection) -> Any:
    """Begin by name where SQLite's driver would put that off, and know nothing of savepoints."""
    if connection.dialect.name != "sqlite":
        return None
    driver: Any = connection.connection.dbapi_connection
    level = driver.isolation_level
    if not getattr(connection.connection.driver_connection, "in_transaction", True):
        driver.isolation_level = None
        connection.exec_driver_sql("BEGIN")
    return level


def _end(connection: Connection, transaction: Any, level: Any) -> None:
    if transaction.is_active:
        transaction.rollback()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.dbapi_connection
        if driver.isolation_level != level:
            driver.isolation_level = level
