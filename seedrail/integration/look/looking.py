"""The frame of a command that looks: a function for Alembic's environment, and a savepoint around it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from seedrail.errors import SetupError
from seedrail.failures import named_failures
from seedrail.integration.run import LOOKS, SeedRun
from seedrail.merge.ledger import metadata, seed_state
from seedrail.merge.write.bring_over import bring_over

T = TypeVar("T")
Heads = tuple[str, ...]


def looking(
    what: Callable[[SeedRun, Connection, Heads], T], found: list[T], *, any_history: bool = False
) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that makes no step: what it sees is added to `found`.

    SetupError where a script is asked for, which has no database; StateError where the database is of another
    history, whose rows would pass for edits of this one's, unless it may be of `any_history`.
    """

    def look(heads: Sequence[str], context: MigrationContext) -> list[Any]:
        run = SeedRun.of(context)
        connection = context.connection
        if connection is None or context.as_sql:
            raise SetupError("this needs a database to look at")
        with named_failures(run.lock_timeout), _taken_back(connection):
            _have_ledger(connection)
            if not any_history:
                run.rail.history.check_heads(heads)
                run.check_content()
            found.append(what(run, connection, tuple(heads)))
        return []

    setattr(look, LOOKS, True)
    return look


@contextmanager
def _taken_back(connection: Connection) -> Iterator[None]:
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def _have_ledger(connection: Connection) -> None:
    """Where the seeds' first revision is still to run, the ledger is empty; an old one is brought over."""
    if sa.inspect(connection).has_table(seed_state.name):
        bring_over(connection)
        return
    for table in metadata.sorted_tables:
        connection.execute(sa.schema.CreateTable(table))


def named(connection: Connection) -> str:
    """The database without anything that may be secret: kind, user, host and name."""
    url = connection.engine.url
    where = f"{url.host}:{url.port}" if url.host and url.port else url.host or ""
    user = f"{url.username}@" if url.username and where else ""
    return f"{connection.dialect.name} {user}{where}{'/' if where else ''}{url.database or ''}".strip()
