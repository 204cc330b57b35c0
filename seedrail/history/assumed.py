"""What rows of a seed state hold in columns that nobody seeded so far, and documents name from now on."""

from collections.abc import Mapping

from seedrail.errors import SetupError
from seedrail.history.changes import Assumed, State
from seedrail.schema.defaults import ServerDefault
from seedrail.schema.tables import FrozenTable, optional_columns


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
        for column in optional_columns(table):
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
