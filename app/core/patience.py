"""SQLite waits for a lock in slices: while it waits by itself, no signal is heeded, for a minute or more."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, Connection

SLICE = 0.1
"""Seconds that SQLite waits by itself, which is how late a Ctrl-C is heeded."""

PATIENCE = "patience"
"""The execution option with the seconds that a statement waits in all; an engine has a default."""


def seconds_for(url: URL, default: float) -> float:
    """How long a URL's `timeout` lets a statement wait; ValueError where it is no number."""
    given = url.query.get("timeout", default)
    return float(given if isinstance(given, str | float) else given[-1])


def patiently(step: Callable[[], object], seconds: float) -> None:
    """Take a step, again and again while SQLite has waited for its lock in vain, for `seconds` at most.

    Where SQLite refuses at once, waiting would not help: somebody wrote since this transaction has read.
    """
    deadline = time.monotonic() + seconds
    while True:
        started = time.monotonic()
        try:
            step()
        except sqlite3.OperationalError as error:
            ended = time.monotonic()
            # A little less than the slice: the clocks differ.
            if not _is_busy(error) or ended - started < SLICE * 0.8 or ended >= deadline:
                raise
        else:
            return


def wait_in_slices(engine: Engine) -> None:
    """Let the statements and commits of an engine wait as `patiently` does; asynchronous engines too."""

    def execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        patiently(lambda: cursor.execute(statement, parameters), _patience(context, engine))
        return True

    def execute_bare(cursor: Any, statement: str, context: Any) -> bool:
        patiently(lambda: cursor.execute(statement), _patience(context, engine))
        return True

    def commit(connection: Connection) -> None:
        # Before the driver's own, which finds nothing left to do.
        if getattr(connection.connection.driver_connection, "in_transaction", False):
            connection.exec_driver_sql("COMMIT")

    event.listen(engine, "do_execute", execute)
    event.listen(engine, "do_execute_no_params", execute_bare)
    event.listen(engine, "commit", commit)


def patience_of(engine: Engine) -> float:
    """The seconds that a statement of an engine waits."""
    return float(engine.get_execution_options().get(PATIENCE, SLICE))


def _patience(context: Any, engine: Engine) -> float:
    given = context.execution_options.get(PATIENCE) if context is not None else None
    return patience_of(engine) if given is None else float(given)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
