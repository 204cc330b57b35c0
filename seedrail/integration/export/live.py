"""The rows of live tables in canonical form, or why no document can hold some."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.errors import FAULT_LIMIT, SeedError
from seedrail.history.rownames import flat, spoken
from seedrail.integration.export.keys import LiveKeys
from seedrail.integration.export.stored import canonical_of
from seedrail.merge.database.live import read_live
from seedrail.quoting import numbered, shown
from seedrail.schema.identity import as_text, seed_id_of
from seedrail.schema.tables import FrozenTable, row_key

Condition = tuple[str, str]
"""A column, and the text that it must have; an empty one for NULL too."""


@dataclass(frozen=True)
class LiveRow:
    """A row by its table and live id; links among its values are ids of live rows."""

    table: FrozenTable
    id: str
    values: Mapping[str, Any]
    problems: Sequence[tuple[str, str]] = field(default=())
    """Columns without a canonical value, and what is wrong with each."""


class LiveRows:
    """Reads rows of seed tables; `tables` are all of them by name."""

    def __init__(self, connection: Connection, tables: Mapping[str, FrozenTable]) -> None:
        self.connection, self.tables = connection, tables
        self.keys = LiveKeys(connection, tables)

    def rows(self, frozen: FrozenTable, conditions: Sequence[Condition] = ()) -> list[LiveRow]:
        """The rows that meet all conditions, in the order of their natural keys.

        SeedError where the table is not as the models have it, or no document can hold some of these rows.
        """
        self._check(frozen)
        for link in frozen.foreign_keys.values():
            if link.table in self.tables:
                self.keys.learn(link.table)
        rows = [row for row in self._read(frozen) if all(self._meets(row, one) for one in conditions)]
        faults = [
            f"{shown(frozen.name)} {spoken(self.words(row), row.id)}: {shown(column)} {reason}"
            for row in rows
            for column, reason in row.problems
        ]
        if faults:
            raise SeedError(_refusal(frozen, faults))
        return sorted(rows, key=lambda row: list(flat(self.words(row))))

    def words(self, row: LiveRow) -> dict[str, Any]:
        """A row's natural key, parents by theirs."""
        return self.keys.worded(row.table, {name: row.values.get(name) for name in row.table.key})

    def seeded(self, row: LiveRow) -> tuple[tuple[str, str], dict[str, Any]]:
        """A row as a seed has it, behind its table and seed id: links hold seed ids."""
        links = {n: key.table for n, key in row.table.foreign_keys.items() if key.table in self.tables}
        values = {
            name: self.keys.seed_id(links[name], value) if name in links and value is not None else value
            for name, value in row.values.items()
        }
        return (row.table.name, seed_id_of(row.table.name, row_key(row.table, values))), values

    def _check(self, frozen: FrozenTable) -> None:
        columns = read_live(self.connection, self.keys.dialect, [frozen]).columns[frozen.name]
        missing = [name for name in frozen.columns if name not in columns]
        if missing:
            raise SeedError(
                f"the table {shown(frozen.name)} of this database has no column"
                f" {', '.join(map(shown, missing))}, which the models have\n"
                "  bring its schema up first: alembic upgrade"
            )

    def _read(self, frozen: FrozenTable) -> Iterator[LiveRow]:
        live = sa.table(frozen.name, *(sa.column(name) for name in (frozen.id, *frozen.columns)))
        id_ = sa.type_coerce(live.c[frozen.id], sa.Uuid())
        query = sa.select(id_, *(self.keys.dialect.raw(live.c[name]) for name in frozen.columns))
        for found, *raw in self.connection.execute(query):
            yield self._canonical(frozen, str(found), dict(zip(frozen.columns, raw, strict=True)))

    def _canonical(self, frozen: FrozenTable, id_: str, raw: Mapping[str, Any]) -> LiveRow:
        values = dict(raw)
        problems: list[tuple[str, str]] = []
        for name, one in raw.items():
            try:
                values[name] = canonical_of(frozen.columns[name].type, one)
            except ValueError as error:
                problems.append((name, str(error)))
                continue
            link = frozen.foreign_keys.get(name)
            if link is None or values[name] is None or link.table not in self.tables:
                continue
            if self.keys.of(link.table, values[name]) is None:
                problems.append((name, f"leads to no row of {shown(link.table)}"))
        return LiveRow(frozen, id_, values, tuple(problems))

    def _meets(self, row: LiveRow, condition: Condition) -> bool:
        column, wanted = condition
        value = row.values[column]
        if value is None:
            return not wanted
        link = row.table.foreign_keys.get(column)
        words = self.keys.words(link.table, value) if link is not None and link.table in self.tables else None
        return wanted in (as_text(value), ",".join(flat(words)) if words else None)


def _refusal(frozen: FrozenTable, faults: Sequence[str]) -> str:
    fit = "fits" if len(faults) == 1 else "fit"
    lines = [f"{numbered(len(faults), 'value')} of {shown(frozen.name)} {fit} in no document"]
    lines += [f"  {fault}" for fault in faults[:FAULT_LIMIT]]
    more = [f"  … and {len(faults) - FAULT_LIMIT:,} more"] if len(faults) > FAULT_LIMIT else []
    return "\n".join([*lines, *more, "  mend these rows, or leave them out (--where)"])
