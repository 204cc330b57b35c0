"""Natural keys of live rows, by the ids that links hold."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.dialects import SeedDialect, dialect_named
from seedrail.integration.export.stored import canonical_of
from seedrail.schema.identity import seed_id_of
from seedrail.schema.tables import FrozenTable, row_key

Key = Mapping[str, Any]
"""A natural key by column, in canonical form; links are ids of live rows."""


class LiveKeys:
    """Natural keys by table and live id: asked for one by one, or learnt of a whole table."""

    def __init__(self, connection: Connection, tables: Mapping[str, FrozenTable]) -> None:
        self.connection, self.tables = connection, tables
        self.dialect: SeedDialect = dialect_named(connection.dialect.name)
        self._found: dict[str, dict[str, Key]] = {}
        self._whole: set[str] = set()

    def of(self, table: str, id_: str) -> Key | None:
        """The key of a row, None where no such row is there; ValueError where it cannot be read."""
        found = self._found.setdefault(table, {})
        if id_ not in found and table not in self._whole:
            found |= self._read(table, id_)
        return found.get(id_)

    def learn(self, table: str) -> None:
        """Read the keys of all rows of a table, and of those that they lead to."""
        if table in self._whole:
            return
        self._whole.add(table)
        self._found.setdefault(table, {}).update(self._read(table, None))
        for name in self.tables[table].key:
            link = self.tables[table].foreign_keys.get(name)
            if link is not None and link.table in self.tables:
                self.learn(link.table)

    def seed_id(self, table: str, id_: str) -> str | None:
        """The seed id that a live row has by its natural key, whatever its own id is."""
        key = self.of(table, id_)
        if key is None:
            return None
        frozen = self.tables[table]
        values = dict(key)
        for name, value in key.items():
            link = frozen.foreign_keys.get(name)
            if link is not None and link.table in self.tables:
                values[name] = self.seed_id(link.table, value)
        return seed_id_of(table, row_key(frozen, values))

    def words(self, table: str, id_: str) -> dict[str, Any] | None:
        """The natural key of a live row, parents by theirs."""
        key = self.of(table, id_)
        return None if key is None else self.worded(self.tables[table], key)

    def worded(self, frozen: FrozenTable, key: Key) -> dict[str, Any]:
        """The same of a key that is known."""
        links = {name: link.table for name, link in frozen.foreign_keys.items() if link.table in self.tables}
        return {
            name: self.words(links[name], value) or value if name in links and value is not None else value
            for name, value in key.items()
        }

    def _read(self, table: str, id_: str | None) -> dict[str, Key]:
        frozen = self.tables[table]
        names = (frozen.id, *frozen.key)
        live = sa.table(table, *(sa.column(name) for name in names))
        query = sa.select(
            sa.type_coerce(live.c[frozen.id], sa.Uuid()),
            *(self.dialect.raw(live.c[name]) for name in frozen.key),
        )
        if id_ is not None:
            query = query.where(live.c[frozen.id] == sa.literal(id_, sa.Uuid(as_uuid=False)))
        return {
            str(found): {
                name: canonical_of(frozen.columns[name].type, raw)
                for name, raw in zip(frozen.key, values, strict=True)
            }
            for found, *values in self.connection.execute(query)
        }
