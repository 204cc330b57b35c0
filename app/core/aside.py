"""Small writes aside from somebody's transaction, which may as well not happen: they wait for nobody.

Each has a connection and a transaction of its own. What is in its way, such as a lock, a standby, a missing
right, or a pool or a pooler without a free connection, makes it fall out, and nothing else.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event, func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction
from sqlalchemy.pool import NullPool, Pool, PoolProxiedConnection, QueuePool
from sqlalchemy.util import await_only, greenlet_spawn

from seedrail import failure_of, failures

PATIENCE = 0.25
"""Seconds after which the caller goes on; the write may still end by itself."""

PAUSE = 60.0
"""Seconds without a try after one that failed in a way that the next one would too."""

_LOCK_TIMEOUT, _STATEMENT_TIMEOUT = "50ms", "1s"
_log = logging.getLogger(__name__)

Write = Callable[[Connection], object]


def write_aside(session: Session, model: type[DeclarativeBase], write: Write) -> None:
    """Try a write in the database where a session finds `model`, outside of its transaction; never raises.

    It is made at once where it can be, and else when the session's transaction has ended. So it is on SQLite,
    where a writer needs that nobody reads, and a reader who goes on to write must have seen the last write.
    """
    engine = session.get_bind(model).engine
    if not isinstance(engine.pool, QueuePool | NullPool):
        # It shares connections: what is tried on them would be part of somebody's transaction.
        return
    if engine.dialect.name == "sqlite" or _is_exhausted(engine.pool):
        session.info.setdefault(_KEPT, []).append((engine, write))
        if not event.contains(session, "after_transaction_end", _on_end):
            event.listen(session, "after_transaction_end", _on_end)
    else:
        _try(engine, write)


_KEPT = f"{__name__}.kept"


def _on_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        for engine, write in session.info.pop(_KEPT, ()):
            if not _is_exhausted(engine.pool):
                _try(engine, write)


def _is_exhausted(pool: Pool) -> bool:
    """Whether somebody who asks the pool for a connection would have to wait for one."""
    if not isinstance(pool, QueuePool) or pool.checkedin():
        return False
    # SQLAlchemy tells the limit to nobody.
    limit: int = pool._max_overflow
    return -1 < limit <= pool.overflow()


@dataclass
class _Tries:
    """How the tries on an engine went."""

    late: list[Callable[[], bool]] = field(default_factory=list)
    """Whether they are done, of those that their callers waited for in vain."""
    paused_until: float = 0.0

    def may_begin(self) -> bool:
        self.late = [is_done for is_done in self.late if not is_done()]
        return not self.late and time.monotonic() >= self.paused_until


_tries: WeakKeyDictionary[Engine, _Tries] = WeakKeyDictionary()


def _try(engine: Engine, write: Write) -> None:
    tries = _tries.setdefault(engine, _Tries())
    if not tries.may_begin():
        return
    try:
        if engine.dialect.is_async:
            await_only(_run_task(engine, write, tries))
        elif engine.dialect.name == "sqlite":
            # Waits for nothing, and its connections may belong to this thread.
            _run(engine, engine.pool, write, tries)
        else:
            _run_thread(engine, write, tries)
    except Exception as error:
        _log.debug("a write aside could not be tried: %s", type(error).__name__)


def _run_thread(engine: Engine, write: Write, tries: _Tries) -> None:
    thread = threading.Thread(target=_run, args=(engine, engine.pool, write, tries), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        tries.late.append(lambda: not thread.is_alive())


async def _run_task(engine: Engine, write: Write, tries: _Tries) -> None:
    task = asyncio.create_task(greenlet_spawn(_run, engine, engine.pool, write, tries))
    try:
        await asyncio.wait({task}, timeout=PATIENCE)
    finally:
        # Where the caller is cancelled, it goes on as well.
        if not task.done():
            tries.late.append(task.done)


def _run(engine: Engine, pool: Pool, write: Write, tries: _Tries) -> None:
    """Write, in a connection of the pool that the engine had when its caller asked."""
    try:
        with engine.connect() as connection:
            try:
                if engine.dialect.name == "sqlite":
                    _run_on_sqlite(connection, write)
                else:
                    _run_on_postgresql(connection, write)
            finally:
                if engine.pool is not pool:
                    # The engine was disposed of since: a pool that nobody has, or that nobody will
                    # dispose of once more, would keep it open.
                    connection.detach()
    except Exception as error:
        failure = failure_of(error)
        if failure is None or failure.exit_code == failures.UNUSABLE:
            tries.paused_until = time.monotonic() + PAUSE
        _log.debug("a write aside failed: %s", failure.reason if failure else type(error).__name__)


def _run_on_sqlite(connection: Connection, write: Write) -> None:
    # The driver's own connection: SQLAlchemy leaves its transaction open where a commit fails.
    driver = connection.connection
    waits = _busy_timeout(driver, 0)
    try:
        write(connection)
        connection.commit()
    finally:
        # It goes back to those who wait, and who begin with nothing.
        driver.rollback()
        _busy_timeout(driver, waits)


def _busy_timeout(driver: PoolProxiedConnection, milliseconds: int) -> int:
    """Set how long SQLite waits for a lock; returns how long it did before."""
    cursor = driver.cursor()
    try:
        cursor.execute("PRAGMA busy_timeout")
        (before,) = cursor.fetchone() or (0,)
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    finally:
        cursor.close()
    return int(before)


def _run_on_postgresql(connection: Connection, write: Write) -> None:
    # The engine's level may be one that has no transactions.
    connection.execution_options(isolation_level="READ COMMITTED")
    connection.execute(
        select(
            func.set_config("lock_timeout", _LOCK_TIMEOUT, True),
            func.set_config("statement_timeout", _STATEMENT_TIMEOUT, True),
            # Nobody relies on it, so that it need not wait for disk or standby either.
            func.set_config("synchronous_commit", "off", True),
        )
    )
    write(connection)
    connection.commit()
