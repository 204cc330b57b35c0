"""What a column that must have a value held before the seed gave it one: what the seed gives it first.

A schema revision made it so, and filled it. A seed state from before knows nothing of it: without this, it
could not be had again below a newer schema, and each of its rows would count as edited.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.dialects import SeedDialect
from seedrail.errors import SetupError
from seedrail.history.changes import Change, Row
from seedrail.history.history import SEED_BASE
from seedrail.history.lines import Lone
from seedrail.history.rail import Rail
from seedrail.merge.stage import DELETE, INSERT, StagedTable
from seedrail.merge.whole import change_of_lone
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable


@dataclass(frozen=True)
class Earlier:
    """The values by table, seed id and column."""

    values: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    upward: bool = True

    def settle(self, changes: Iterable[Lone | Change]) -> Iterator[Lone | Change]:
        """Changes as they are where nothing is empty that must not be.

        On a way up, they say the value that a column keeps: what a schema revision filled in may be another.
        """
        if not self.values:
            yield from changes
            return
        for one in changes:
            if one.table not in self.values:
                yield one
            elif isinstance(one, Lone):
                for id_, row in one.rows:
                    yield self._settled(change_of_lone(one, id_, bytes(row)))
            else:
                yield self._settled(one)

    def row(self, table: str, id_: str, row: Row) -> Row:
        """A whole row of a seed state."""
        return {**row, **{name: one for name, one in self._of(table, id_).items() if row.get(name) is None}}

    def _of(self, table: str, id_: str) -> Row:
        nothing: dict[str, Row] = {}
        return self.values.get(table, nothing).get(id_, {})

    def _settled(self, change: Change) -> Change:
        mine = self._of(change.table, change.id)
        if change.old is None or change.new is None:
            old, new = (
                row if row is None else self.row(change.table, change.id, row)
                for row in (change.old, change.new)
            )
            return replace(change, old=old, new=new)
        old, new = (
            {name: mine.get(name) if value is None else value for name, value in row.items()}
            for row in (change.old, change.new)
        )
        # A way down leaves what cannot be empty as it is.
        same = set() if self.upward else {name for name in mine if name in new and old.get(name) == new[name]}
        return replace(
            change,
            old=_without(old, same),
            new=_without(new, same),
            first=_without(change.first, same),
            revisions=_without(change.revisions, same),
        )


def _without(row: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def settle_defaults(
    dialect: SeedDialect,
    table: StagedTable,
    defaults: Mapping[str, str],
    ends: tuple[Container[str], Container[str]],
) -> Iterator[sa.Executable]:
    """Statements that give staged rows the defaults of columns which the state at that end of a move lacks.

    `ends` are the columns that the states at source and target have; `defaults` are SQL.
    """
    stage = table.stage
    for prefix, seeded, other in (("o_", ends[0], INSERT), ("n_", ends[1], DELETE)):
        for name in table.columns:
            default = defaults.get(name, "NULL")
            if name not in seeded and default.upper() != "NULL":
                column = stage.c[prefix + name]
                value = dialect.given(column, default)
                yield (
                    sa.update(stage).values({column: value}).where(column.is_(None), stage.c.action != other)
                )


def refuse_without_value(
    connection: Connection, table: StagedTable, columns: Iterable[str], target: str
) -> None:
    """Raise SetupError where rows that come have nothing for columns that must have a value.

    They went before the column came, and the state at `target` knows nothing of it.
    """
    stage = table.stage
    for name in columns:
        empty = sa.select(sa.func.count()).where(stage.c.action == INSERT, stage.c["n_" + name].is_(None))
        count = connection.scalar(empty)
        if count:
            raise SetupError(
                f"{count} row{'s' * (count > 1)} of {shown(table.name)} would come with {target}, and nothing"
                f" is known of {shown(name)}, which must have a value: it came when they had gone;"
                " nothing was written\n"
                "  go further down, to a state without them or to seed_base, or take back the schema revision"
            )


def earlier_values(
    rail: Rail, span: tuple[str, str], frozen: Sequence[FrozenTable], required: Mapping[str, Container[str]]
) -> tuple[list[FrozenTable], Earlier]:
    """A move's tables, with the `required` columns that a later seed state has, and what they held.

    `span` are the move's ends. Columns that no state seeds are left alone.
    """
    lower, upper = sorted(rail.index(one) for one in span)
    names = [SEED_BASE, *(one.revision for one in rail.revisions)]
    states = [rail.tables_at(name) for name in names]
    tables: list[FrozenTable] = []
    values: dict[str, dict[str, dict[str, Any]]] = {}
    for table in frozen:
        known = states[lower].get(table.name)
        later = [(at, states[at][table.name]) for at in range(lower, len(states)) if table.name in states[at]]
        for column in dict.fromkeys(name for _, one in later for name in one.columns):
            first = next(at for at, one in later if column in one.columns)
            # In a table that comes on the way, its rows have the value that they end with.
            if column not in required.get(table.name, ()) or not (first > upper or (known and first > lower)):
                continue
            if first > upper:
                table = _with(table, states[first][table.name], column)
            for rows in rail.fold(names[first]):
                for id_, row in rows.get(table.name, {}).items():
                    if row.get(column) is not None:
                        values.setdefault(table.name, {}).setdefault(id_, {})[column] = row[column]
        tables.append(table)
    return tables, Earlier(values, upward=rail.position(span[0]) <= rail.position(span[1]))


def _with(table: FrozenTable, later: FrozenTable, column: str) -> FrozenTable:
    links = {column: later.foreign_keys[column]} if column in later.foreign_keys else {}
    return replace(
        table,
        columns={**table.columns, column: later.columns[column]},
        foreign_keys={**table.foreign_keys, **links},
    )
