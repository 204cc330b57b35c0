"""The columns that a run's own schema revisions bring: nobody but them can have written in these.

What is found there when the seeds are moved was not written by people, whatever the seed expects.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import ObjectKind

from seedrail.dialects import SeedDialect

Columns = set[tuple[str, str]]
"""Columns of tables, by both names."""


class Arrivals:
    """What comes to some tables while a run goes on, in the one transaction of the run."""

    def __init__(self, connection: Connection, dialect: SeedDialect, tables: Iterable[str]) -> None:
        self._connection, self._dialect, self._tables = connection, dialect, sorted(tables)
        self._there = self._see()
        self.came: Columns = set()

    def look_again(self) -> None:
        """After a schema revision: what was not there before it has come, and what is gone has not."""
        there = self._see()
        self.came = (self.came | there - self._there) & there
        self._there = there

    def _see(self) -> Columns:
        found: Columns = set()
        # As a move does, by what the names lead to.
        homes = self._dialect.find(self._connection, self._tables)
        for schema in {one.schema for one in homes.values()}:
            names = [name for name, one in homes.items() if one.schema == schema]
            inspector = sa.inspect(self._connection)
            columns = inspector.get_multi_columns(filter_names=names, schema=schema, kind=ObjectKind.ANY)
            found |= {(table, one["name"]) for (_, table), many in columns.items() for one in many}
        return found
