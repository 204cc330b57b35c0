"""Names for rows in reports: the natural key, with parents by theirs instead of by their ids."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seedrail.history.history import SEED_BASE
from seedrail.history.lines import Line
from seedrail.history.rail.line import Rail
from seedrail.quoting import shown
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable

Key = tuple[str, str]
"""A table and a seed id."""


class RowNames:
    """Natural keys for a report, looked up in the change files; of a large seed, only the rows asked for."""

    def __init__(self, rail: Rail, revisions: Sequence[str], tables: Iterable[FrozenTable]) -> None:
        self.rail, self.newest = rail, max(revisions, key=rail.position, default=SEED_BASE)
        self.tables = {table.name: table for table in tables}
        self.rows: dict[Key, Mapping[str, Any]] = {}
        """Natural keys by column: links as their parents' keys, or as ids where a line has no words."""

    def learn(self, wanted: Iterable[Key]) -> None:
        """Look rows up, and those that their names lead to: a pass over the files, or one a generation."""
        missing = {key for key in wanted if key not in self.rows}
        while missing:
            found = dict(self._find(missing))
            self.rows |= found
            missing = {parent for key in found for parent in self._parents(key)} - self.rows.keys()

    def __call__(self, table: str, id_: str) -> str:
        """A learnt row's natural key in parentheses, or its id where no document knows it."""
        return spoken(self.words(table, id_), id_)

    def words(self, table: str, id_: str) -> dict[str, Any] | None:
        """A learnt row's natural key by column, links as their parents' keys; None of an unknown row."""
        row, frozen = self.rows.get((table, id_)), self.tables.get(table)
        if row is None or frozen is None:
            return None
        links = {name: key.table for name, key in frozen.foreign_keys.items()}
        return {
            name: self.words(links[name], value) or value
            if name in links and isinstance(value, str)
            else value
            for name, value in row.items()
        }

    def _find(self, wanted: set[Key]) -> Iterator[tuple[Key, Mapping[str, Any]]]:
        left = set(wanted)
        for one in self.rail.between(SEED_BASE, self.newest):
            for line in one.file.lines_of({id_ for _, id_ in left}):
                if line.seed_row in left and (key := self._key(line)) is not None:
                    left.discard(line.seed_row)
                    yield line.seed_row, key
            if not left:
                return

    def _key(self, line: Line) -> Mapping[str, Any] | None:
        """What a line says of its row's natural key: its words, or those columns of a row that is whole."""
        table = self.tables.get(line.table)
        if line.row:
            words = json.loads(bytes(line.row))
            return words if isinstance(words, dict) else None
        if table is None or not line.new or line.old:
            return None
        row = json.loads(bytes(line.new))
        return {name: row.get(name) for name in table.key}

    def _parents(self, key: Key) -> list[Key]:
        table = self.tables.get(key[0])
        if table is None:
            return []
        links = {name: table.foreign_keys[name].table for name in table.key if name in table.foreign_keys}
        ids = {name: self.rows[key].get(name) for name in links}
        return [(links[name], id_) for name, id_ in ids.items() if isinstance(id_, str)]


def spoken(words: Mapping[str, Any] | None, id_: str) -> str:
    """A natural key by column as people read it: in parentheses, parents' parts in place of links."""
    return f"({', '.join(map(shown, flat(words) if words is not None else [id_]))})"


def flat(words: Mapping[str, Any]) -> Iterator[str]:
    """A natural key's parts as text, parents' parts in place of links."""
    for value in words.values():
        if isinstance(value, dict):
            yield from flat(value)
        else:
            yield value if isinstance(value, str) else canonical_json(value)
