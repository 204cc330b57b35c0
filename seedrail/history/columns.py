"""Columns that leave their table and come again: they are others, whatever their name.

What the seed gave the first went with it when the schema dropped it. No line of a change file says that: what
they say of the first has to be left out where the second is meant. And columns that documents begin to name:
lines that change them say what the rows held there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from seedrail.errors import SetupError
from seedrail.history.changes import Assumed, Change, Row, State
from seedrail.schema.defaults import ServerDefault
from seedrail.schema.tables import FrozenTable, optional_columns

Tables = Mapping[str, FrozenTable]
"""The tables of a seed state."""


class Renewed:
    """The columns that some of a sequence of seed states lacks, though one before and one after has them.

    The states are numbered; the change file with the same number led to a state from the one before.
    """

    def __init__(self, states: Iterable[Tables] = ()) -> None:
        self.since: dict[str, dict[str, int]] = {}
        """By table and column, the state from which on it is another than before."""
        seen: dict[str, set[str]] = {}
        now: dict[str, set[str]] = {}
        for number, tables in enumerate(states):
            for name, table in tables.items():
                again = (table.columns.keys() - now.get(name, set())) & seen.get(name, set())
                if again:
                    self.since.setdefault(name, {}).update(dict.fromkeys(again, number))
                now[name] = set(table.columns)
                seen.setdefault(name, set()).update(table.columns)

    def concerns(self, table: str, number: int) -> bool:
        """Whether lines of a table in the file with this number may say something of other columns."""
        return any(number < since for since in self.since.get(table, {}).values())

    def others(self, table: str, number: int) -> set[str]:
        """The columns of a table that the state with this number may have, and that are others later."""
        return {name for name, since in self.since.get(table, {}).items() if number < since}

    def settle(self, change: Change, number: int) -> Change:
        """The change of a line in the file with this number, without what it says of other columns."""
        if not self.concerns(change.table, number):
            return change
        others = self.others(change.table, number)

        def rest(row: Row | None) -> Row | None:
            return row if row is None else {name: row[name] for name in row if name not in others}

        revisions = {name: one for name, one in change.revisions.items() if name not in others}
        return replace(change, old=rest(change.old), new=rest(change.new), revisions=revisions)


AS_THEY_ARE = Renewed()
"""Of a history whose columns stay, or come once and go once."""


def reborn(states: Sequence[Tables], at: int) -> Iterator[tuple[str, str, int]]:
    """The columns (table, column) of the state `at` that leave after it and come again: in which state."""
    for name, table in states[at].items():
        later = [
            (number, states[number][name]) for number in range(at, len(states)) if name in states[number]
        ]
        for column in table.columns.keys() - set(table.key):
            left = next((number for number, one in later if column not in one.columns), len(states))
            again = next((number for number, one in later if number > left and column in one.columns), None)
            if again is not None:
                yield name, column, again


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
