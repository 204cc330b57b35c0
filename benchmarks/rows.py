"""The finished rows of the seed, read from a seeded database: what the limits and the usual ways write."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
import sqlalchemy as sa

from app.core.config import Settings
from app.core.database import new_engine
from app.features.catalog import METADATA

TABLES = ("machines", "simulations", "artifacts", "external_links")
"""Parents first."""

EDITED = {"simulations": "description", "artifacts": "label", "external_links": "label"}
"""What people edit of a table."""

_VOLATILE = {"created_at", "updated_at"}


def columns(table: str) -> list[str]:
    """The columns that a seed fills; the database fills the rest."""
    return [column.name for column in METADATA.tables[table].columns if column.name not in _VOLATILE]


def listed(table: str) -> str:
    """Those columns as SQL lists them."""
    return ", ".join(f'"{name}"' for name in columns(table))


def stored_rows(kind: str, database: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows as the driver takes them without any conversion, by table and in the order of their ids."""
    read = _from_sqlite if kind == "sqlite" else _from_postgresql
    return read(database)


def copy_text(database: str) -> dict[str, bytes]:
    """The rows as PostgreSQL's own COPY text, by table."""
    with psycopg.connect(database) as connection:
        return {table: b"".join(_copied(connection, table)) for table in TABLES}


def ids(kind: str, database: str) -> dict[str, list[str]]:
    """The primary keys of all rows, by table."""
    return {
        table: [row[columns(table).index("id")] for row in rows]
        for table, rows in stored_rows(kind, database).items()
    }


def mappings(url: str) -> dict[str, list[dict[str, Any]]]:
    """The rows as dictionaries of Python values, as a hand-written migration holds them; parents first."""
    engine = new_engine(Settings(DATABASE_URL=url))
    with engine.connect() as connection:
        found = {name: [dict(row) for row in connection.execute(_select(name)).mappings()] for name in TABLES}
    engine.dispose()
    found["simulations"] = parents_first(found["simulations"])
    return found


def parents_first(simulations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Simulations so that each follows its parent, which statement-wise foreign keys ask for."""
    ordered: list[dict[str, Any]] = []
    placed: set[Any] = {None}
    waiting = simulations
    while waiting:
        ready = [row for row in waiting if row["parent_id"] in placed]
        waiting = [row for row in waiting if row["parent_id"] not in placed]
        ordered += ready
        placed.update(row["id"] for row in ready)
    return ordered


def counts(kind: str, database: str) -> dict[str, int]:
    """How many rows each seeded table has."""
    # The names are constants of this module.
    queries = {table: f"SELECT count(*) FROM {table}" for table in TABLES}  # noqa: S608
    if kind == "sqlite":
        lite = sqlite3.connect(database)
        try:
            return {table: int(lite.execute(query).fetchone()[0]) for table, query in queries.items()}
        finally:
            lite.close()
    with psycopg.connect(database) as connection:
        return {table: int(_one(connection, query)) for table, query in queries.items()}


def edit(kind: str, database: str, table: str, every: int) -> None:
    """Let somebody edit a column of every so many rows."""
    numbered = f"SELECT id, row_number() OVER (ORDER BY id) AS n FROM {table}"  # noqa: S608 -- constants
    chosen = f"SELECT id FROM ({numbered}) AS numbered WHERE n % {every} = 0"  # noqa: S608 -- constants
    update = f"UPDATE {table} SET {EDITED[table]} = 'edited' WHERE id IN ({chosen})"  # noqa: S608 -- constants
    if kind == "sqlite":
        lite = sqlite3.connect(database)
        with lite:
            lite.execute(update)
        lite.close()
        return
    with psycopg.connect(database) as connection:
        connection.execute(update.encode())


def _select(name: str) -> sa.Select[Any]:
    table = METADATA.tables[name]
    return sa.select(*(table.c[column] for column in columns(name))).order_by(table.c.id)


def _from_sqlite(database: str) -> dict[str, list[tuple[Any, ...]]]:
    connection = sqlite3.connect(database)
    try:
        return {
            table: connection.execute(f"SELECT {listed(table)} FROM {table} ORDER BY id").fetchall()  # noqa: S608 -- constants
            for table in TABLES
        }
    finally:
        connection.close()


def _from_postgresql(database: str) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(database) as connection:
        return {table: _texts(connection, table) for table in TABLES}


def _texts(connection: psycopg.Connection[Any], table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor, cursor.copy(_copy_out(table)) as copy:
        # Without set_types() the rows are the text that COPY takes back.
        return list(copy.rows())


def _copied(connection: psycopg.Connection[Any], table: str) -> Iterator[bytes]:
    with connection.cursor() as cursor, cursor.copy(_copy_out(table)) as copy:
        chunks: Iterable[Any] = copy
        for chunk in chunks:
            yield bytes(chunk)


def _copy_out(table: str) -> Any:
    return f"COPY (SELECT {listed(table)} FROM {table} ORDER BY id) TO STDOUT"  # noqa: S608 -- constants


def _one(connection: psycopg.Connection[Any], query: Any) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
