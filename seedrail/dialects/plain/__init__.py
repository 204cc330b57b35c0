"""Rows in bulk, in a form that a change file's lines can be brought to as well.

What is equal in this form is equal to every comparison of the engine; not the other way round: what a column
keeps in other words than a seed of its type is for the database itself to compare.
"""

from sqlalchemy.engine import Connection

from seedrail.dialects.plain.postgresql import PostgreSQLSide
from seedrail.dialects.plain.sides import Asked, Side
from seedrail.dialects.plain.sqlite import SQLiteSide

__all__ = ["Asked", "Side", "side_of"]


def side_of(connection: Connection) -> type[Side] | None:
    """What a connection's database makes of it; None where its driver does not read rows in bulk."""
    dialect = connection.dialect
    if dialect.is_async:
        return None
    if dialect.name == "sqlite":
        return SQLiteSide
    return PostgreSQLSide if dialect.driver == "psycopg" else None
