"""Columns with a server default that a document does not name: left to the database, or given their default.

A column that no row names is left out of the seed. Once it is seeded it stays so, for what is in the rows
must not depend on the revisions that a database went through: a row that does not name it has the default.
"""

from collections.abc import Iterable, Iterator, Mapping

from seedrail.documents.faults import Fault
from seedrail.documents.integrity import Placed
from seedrail.errors import SetupError
from seedrail.history.changes import Assumed, State
from seedrail.schema.defaults import ServerDefault
from seedrail.schema.tables import FrozenTable


def settle_defaults(
    tables: Mapping[str, FrozenTable], before: Mapping[str, FrozenTable], placed: Iterable[Placed]
) -> tuple[dict[str, FrozenTable], list[Fault]]:
    """The tables without the columns that nothing seeds, and the rows' faults; completes the rows."""
    having = {name for name, table in tables.items() if _optional(table)}
    rows = [row for row in placed if row.table.name in having]
    named: dict[str, set[str]] = {name: set() for name in having}
    for row in rows:
        named[row.table.name].update(row.values)
    settled = {
        name: _left_out(table, before.get(name), named.get(name, ())) for name, table in tables.items()
    }
    return settled, [fault for row in rows for fault in _complete(row, settled[row.table.name])]


def _optional(table: FrozenTable) -> list[str]:
    return [name for name, column in table.columns.items() if column.default and name not in table.key]


def _left_out(table: FrozenTable, before: FrozenTable | None, named: Iterable[str]) -> FrozenTable:
    seeded = {*named, *(before.columns if before else ())}
    return table.without([name for name in _optional(table) if name not in seeded])


def _complete(row: Placed, table: FrozenTable) -> Iterator[Fault]:
    """Give a row the defaults of columns that others name."""
    for name in _optional(table):
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


def assumed_values(
    before: State, released: State, frozen: Mapping[str, FrozenTable], tables: Mapping[str, FrozenTable]
) -> Assumed:
    """What the rows of a seed state, with its `frozen` tables, hold in columns that are seeded from now on.

    SetupError where that is not known: rows that came with a computed default, or with another than today's.
    """
    found: dict[str, dict[str, object]] = {}
    for name, table in tables.items():
        then = frozen.get(name)
        if then is None or not (before.get(name) or released.get(name)):
            continue
        for column in _optional(table):
            if column not in then.columns:
                found.setdefault(name, {})[column] = _known(table, column, then.defaults.get(column))
    return found


def _known(table: FrozenTable, column: str, then: ServerDefault | None) -> object:
    now = table.columns[column].default
    if now is not None and now.literal and (then is None or then == now):
        return now.value
    why = (
        "its default is computed by the database"
        if now and not now.literal
        else "its default has changed since"
    )
    raise SetupError(
        f"{table.name}.{column}: the documents name it from now on, but what the seed's rows hold there is"
        f" not known: {why}\n"
        "  leave it out of the documents, or declare it volatile and set it by a schema revision"
    )
