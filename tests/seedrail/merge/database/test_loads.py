"""Bulk loads: one table after the other over a connection that stays usable whatever happens."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from seedrail.dialects import dialect_named
from seedrail.merge.database.loads import BulkLoader
from seedrail.schema.types import ColumnType
from tests.support.databases import Database

COLUMNS = [("n", ColumnType("integer"))]
METADATA = sa.MetaData()
ONE, OTHER = (sa.Table(name, METADATA, sa.Column("n", sa.Integer, unique=True)) for name in ("one", "other"))


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection to a database with two empty tables, in a transaction."""
    METADATA.create_all(database.engine)
    with database.engine.connect() as opened:
        opened.begin()
        yield opened


def loader(connection: Connection, arrived: list[int] | None = None) -> BulkLoader:
    dialect = dialect_named(connection.dialect.name)
    return BulkLoader(
        connection, dialect, lambda table: None, [].append if arrived is None else arrived.append
    )


def numbers(connection: Connection, table: sa.Table) -> list[int]:
    return sorted(connection.scalars(sa.select(table.c.n)))


def test_tables_may_take_turns(connection: Connection) -> None:
    arrived: list[int] = []
    with loader(connection, arrived) as loads:
        loads.load(ONE, COLUMNS, [(1,), (2,)])
        loads.load(ONE, COLUMNS, [(3,)])
        loads.load(OTHER, COLUMNS, [(1,)])
        loads.load(ONE, COLUMNS, [(4,)])
    assert numbers(connection, ONE) == [1, 2, 3, 4]
    assert numbers(connection, OTHER) == [1]
    assert arrived == [2, 1, 1, 1]


def test_an_error_in_between_leaves_a_connection_that_can_be_rolled_back(connection: Connection) -> None:
    def broken_off() -> None:
        with loader(connection) as loads:
            loads.load(ONE, COLUMNS, [(1,)])
            raise KeyError("a malformed line")

    with pytest.raises(KeyError, match="a malformed line"):
        broken_off()
    connection.rollback()
    assert numbers(connection, ONE) == []


def test_what_the_database_refuses_is_an_error_of_sqlalchemys(connection: Connection) -> None:
    with pytest.raises(IntegrityError), loader(connection) as loads:
        loads.load(ONE, COLUMNS, [(1,), (1,)])
    connection.rollback()
    assert numbers(connection, ONE) == []


def test_a_connection_that_is_lost_is_known_to_be(postgresql: Database) -> None:
    def cut_off(connection: Connection) -> None:
        with loader(connection) as loads:
            loads.load(ONE, COLUMNS, [(1,)])
            postgresql.rows(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE query LIKE 'COPY%' AND datname = current_database()"
            )
            loads.load(OTHER, COLUMNS, [(1,)])

    METADATA.create_all(postgresql.engine)
    with postgresql.engine.connect() as connection:
        with pytest.raises(OperationalError) as raised:
            cut_off(connection)
        assert raised.value.connection_invalidated
        connection.invalidate()
