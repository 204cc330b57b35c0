"""Whether the rows of all documents fit together: unique keys, links that lead somewhere, defaults."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seedrail.documents.faults import Fault, Path, show_path, show_value
from seedrail.documents.sources import ABSENT, Problem, Source
from seedrail.schema.tables import FrozenTable, optional_columns

Rows = dict[str, dict[str, dict[str, Any]]]
"""Canonical rows by table and seed id."""


class Placed(NamedTuple):
    """A canonical row with the place it came from."""

    table: FrozenTable
    id: str
    values: dict[str, Any]
    source: Source
    path: Path
    paths: Any

    def place(self, column: str) -> Path:
        """Where a column's value stands in the document, or would stand."""
        return (*self.path, *self._inside(column))

    def _inside(self, column: str) -> Path:
        declared: Path | None = self.paths.get(column)
        if declared is not None:
            return declared
        written = self.source.value((*self.path, column)) is not ABSENT
        return (column if written else camel(column),)

    def key_shown(self) -> str:
        """The natural key as the document spells it; a link to what the row stands in is not written."""
        columns = [
            name
            for name in self.table.key
            if name not in self.table.foreign_keys or self.source.value(self.place(name)) is not ABSENT
        ]
        return ", ".join(show_path(self._inside(name)) for name in columns or self.table.key)


@dataclass
class Lost:
    """What the elements that have faults may have defined, for the rows that refer to them."""

    everything: bool = False
    keys: set[str] = field(default_factory=set)
    scalars: set[Any] = field(default_factory=set)

    def add(self, element: Any, problems: Iterable[Problem]) -> None:
        """An element with faults: the values it holds, and the keys whose value is not known."""
        self.keys.update(path[-1] for path, _ in problems if isinstance(path[-1], str))
        self.everything |= not isinstance(element, dict)
        self.scalars.update(value for _, value in _scalars(element, ()))

    def may_hold(self, reference: Any, path: Path) -> bool:
        """Whether a row that is referred to in these words may be one of them."""
        return self.everything or all(
            value in self.scalars or not self.keys.isdisjoint(where)
            for where, value in _scalars(reference, path[-1:])
        )


def check_unique(placed: Iterable[Placed], rows: Rows) -> Iterator[Fault]:
    """Faults of rows that share a natural key; fills `rows` with the first of each."""
    first: dict[tuple[str, str], Placed] = {}
    repeated: set[tuple[str, str | int]] = set()
    for row in placed:
        before = first.setdefault((row.table.name, row.id), row)
        if before is row:
            rows[row.table.name][row.id] = row.values
            continue
        element = (row.source.file, row.path[0])
        # An element that repeats another repeats its children, too: that is one fault.
        if element in repeated and before.path[0] != row.path[0]:
            continue
        repeated.add(element)
        yield row.source.fault(row.path, f"duplicate natural key ({row.key_shown()})", before.path)


def check_links(placed: list[Placed], rows: Rows, lost: dict[str, Lost]) -> Iterator[Fault]:
    """Faults of links that lead nowhere, or back to their own row; `lost` is what faulty elements hide."""
    for row in placed:
        for column, key in row.table.foreign_keys.items():
            target = row.values.get(column)
            if target is None or key.table not in rows or target in rows[key.table]:
                continue
            place = row.place(column)
            written = row.source.value(place)
            # A parent that has faults of its own may be the one that is missing.
            if key.table in lost and (written is ABSENT or lost[key.table].may_hold(written, place)):
                continue
            shown = "" if written is ABSENT else f": {show_value(written, whole=True)}"
            yield row.source.fault(place, f"nobody defines this row of {key.table}{shown}")
    yield from _check_cycles(placed, rows)


def _check_cycles(placed: list[Placed], rows: Rows) -> Iterator[Fault]:
    """Rows whose self-reference leads back to themselves: each circle once, at its first row."""
    for name, column in _self_references(placed):
        # The order of `rows` is that of the documents.
        circles = _circles({id_: row.get(column) for id_, row in rows[name].items()})
        if not circles:
            continue
        by_id = {row.id: row for row in reversed(placed) if row.table.name == name}
        for id_, length in circles:
            row, through = by_id[id_], f", in a circle of {length} rows" if length > 1 else ""
            yield row.source.fault(row.place(column), f"is its own ancestor{through}")


def _self_references(placed: Iterable[Placed]) -> list[tuple[str, str]]:
    tables = {row.table.name: row.table for row in placed}
    return [
        (table.name, column)
        for table in tables.values()
        for column, key in table.foreign_keys.items()
        if key.table == table.name
    ]


def _circles(parents: dict[str, str | None]) -> list[tuple[str, int]]:
    """A member of each circle, the first in order, and the circle's length."""
    order = {id_: number for number, id_ in enumerate(parents)}
    found: list[tuple[str, int]] = []
    done: set[str] = set()
    for id_ in parents:
        chain: dict[str, int] = {}
        current: str | None = id_
        while current is not None and current not in done and current not in chain:
            chain[current] = len(chain)
            current = parents.get(current)
        if current in chain:
            circle = list(chain)[chain[current] :]
            found.append((min(circle, key=lambda one: order.get(one, len(order))), len(circle)))
        done.update(chain)
    return found


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    waiting: list[tuple[Any, Path]] = [(value, path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, dict):
            waiting += [(member, (*path, key)) for key, member in value.items()]
        elif isinstance(value, list):
            waiting += [(member, path) for member in value]
        else:
            yield path, value


def camel(name: str) -> str:
    """A column's name in camelCase."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


# -- columns with a server default that rows do not name
#
# A column that no row names is left out of the seed. Once it is seeded it stays so, for what is in the rows
# must not depend on the revisions that a database went through: a row that does not name it has the default.


def settle_defaults(
    tables: Mapping[str, FrozenTable], before: Mapping[str, FrozenTable], placed: Iterable[Placed]
) -> tuple[dict[str, FrozenTable], list[Fault]]:
    """The tables without the columns that nothing seeds, and the rows' faults; completes the rows."""
    having = {name for name, table in tables.items() if optional_columns(table)}
    rows = [row for row in placed if row.table.name in having]
    named: dict[str, set[str]] = {name: set() for name in having}
    for row in rows:
        named[row.table.name].update(row.values)
    settled = {
        name: _left_out(table, before.get(name), named.get(name, ())) for name, table in tables.items()
    }
    return settled, [fault for row in rows for fault in complete(row, settled[row.table.name])]


def _left_out(table: FrozenTable, before: FrozenTable | None, named: Iterable[str]) -> FrozenTable:
    seeded = {*named, *(before.columns if before else ())}
    return table.without([name for name in optional_columns(table) if name not in seeded])


def complete(row: Placed, table: FrozenTable) -> Iterator[Fault]:
    """Give a row the defaults of columns that others name."""
    for name in optional_columns(table):
        default = table.columns[name].default
        if name in row.values or default is None:
            continue
        if default.literal:
            row.values[name] = default.value
        else:
            yield row.source.fault(
                row.place(name),
                "must have a value: other rows have one, and the database computes the column's default",
            )
