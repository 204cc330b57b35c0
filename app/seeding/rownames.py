"""Names for rows in reports: the natural key, with parents by theirs instead of by their ids."""

from collections.abc import Iterable, Sequence

from app.seeding.changes import Row, State
from app.seeding.identity import canonical_json
from app.seeding.rail import Rail
from app.seeding.tables import FrozenTable


class RowNames:
    """Natural keys for a report, read from the change files when the first is asked for."""

    def __init__(self, rail: Rail, revisions: Sequence[str], tables: Iterable[FrozenTable]) -> None:
        self.rail, self.revisions = rail, tuple(revisions)
        self.tables = {table.name: table for table in tables}
        self.states: list[State] = []

    def __call__(self, table: str, id_: str) -> str:
        """A seed row's natural key in parentheses, or its id where no document knows it."""
        if not self.states:
            self.states = [state for revision in self.revisions for state in self.rail.fold(revision)]
        return f"({', '.join(self._key(table, id_))})"

    def _key(self, table: str, id_: str) -> list[str]:
        row = self._row(table, id_)
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

    def _row(self, table: str, id_: str) -> Row | None:
        for state in self.states:
            row = state.get(table, {}).get(id_)
            if row is not None:
                return row
        return None
