"""Names for rows in reports: the natural key, with parents by theirs instead of by their ids."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from seedrail.history.changes import Row
from seedrail.history.history import SEED_BASE
from seedrail.history.lines import Lone
from seedrail.history.rail.line import Rail
from seedrail.quoting import shown
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable

Key = tuple[str, str]
"""A table and a seed id."""


class RowNames:
    """Natural keys for a report, looked up in the change files; of a large seed, only the rows asked for."""

    def __init__(self, rail: Rail, revisions: Sequence[str], tables: Iterable[FrozenTable]) -> None:
        self.rail, self.revisions = rail, tuple(revisions)
        self.tables = {table.name: table for table in tables}
        self.rows: dict[Key, Row] = {}

    def learn(self, wanted: Iterable[Key]) -> None:
        """Look rows up, and those that their names lead to: a pass over the files for each generation."""
        missing = {key for key in wanted if key not in self.rows}
        while missing:
            found = self._find(missing)
            self.rows |= found
            missing = {parent for key in found for parent in self._parents(key)} - self.rows.keys()

    def __call__(self, table: str, id_: str) -> str:
        """A learnt row's natural key in parentheses, or its id where no document knows it."""
        return f"({', '.join(map(shown, self._key(table, id_)))})"

    def words(self, table: str, id_: str) -> dict[str, Any] | None:
        """A learnt row's natural key by column, links as their parents' keys; None of an unknown row."""
        row, frozen = self.rows.get((table, id_)), self.tables.get(table)
        if row is None or frozen is None:
            return None
        keys = frozen.foreign_keys
        return {
            name: self.words(keys[name].table, row[name]) if name in keys else row[name]
            for name in frozen.key
        }

    def _find(self, wanted: set[Key]) -> dict[Key, Row]:
        found: dict[Key, Row] = {}
        for revision in self.revisions:
            for entry in self.rail.net_rows(SEED_BASE, revision):
                if isinstance(entry, Lone):
                    for id_, row in entry.only(wanted).rows:
                        found.setdefault((entry.table, id_), json.loads(bytes(row)))
                elif entry.seed_row in wanted:
                    found.setdefault(entry.seed_row, entry.new or {})
        return found

    def _parents(self, key: Key) -> list[Key]:
        table = self.tables.get(key[0])
        if table is None:
            return []
        links = {name: table.foreign_keys[name].table for name in table.key if name in table.foreign_keys}
        return [(parent, self.rows[key][name]) for name, parent in links.items()]

    def _key(self, table: str, id_: str) -> list[str]:
        row = self.rows.get((table, id_))
        if row is None or table not in self.tables:
            return [id_]
        parts: list[str] = []
        for name in self.tables[table].key:
            parent = self.tables[table].foreign_keys.get(name)
            if parent:
                parts += self._key(parent.table, row[name])
            else:
                parts.append(row[name] if isinstance(row[name], str) else canonical_json(row[name]))
        return parts
