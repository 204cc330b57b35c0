"""Released rows that a new revision would strand: they stay as they are, and the seed moves on beneath them.

A fresh install inserts them all the same. One that points at a row which is gone by then, or that holds a
unique value which a seeded row takes, would stop every fresh install from then on. So would the rows of a
table that the schema renames be stranded: a seed id is made of the table's name, and under another one they
are others.
"""

from collections.abc import Container, Iterator, Mapping, Sequence

from seedrail.errors import FAULT_LIMIT, SeedError, SetupError
from seedrail.history.changes import Change, Row, State
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable


class StrandedRows(SeedError):
    """A revision would take away what released rows need."""

    def __init__(self, faults: Sequence[str]) -> None:
        more = [f"  … and {len(faults) - FAULT_LIMIT} more"] if len(faults) > FAULT_LIMIT else []
        super().__init__(
            "\n".join(
                [
                    "the documents leave released rows without what they need; no revision was written",
                    *(f"  - {fault}" for fault in faults[:FAULT_LIMIT]),
                    *more,
                    "  release the row that goes as well (-x seed_removed=release), give the new row another"
                    " value, or take the released row back into its document and out again, to be deleted",
                ]
            )
        )


def refuse_stranded(
    before: tuple[State, State], after: State, changes: Sequence[Change], tables: Mapping[str, FrozenTable]
) -> None:
    """Raise StrandedRows where the state `after` some changes strands rows that the one `before` did not.

    `before` are the seeded and the released rows of the newest revision.
    """
    seeded, released = before
    if not any(released.values()):
        return
    away = {name: dict(rows) for name, rows in released.items()}
    for one in changes:
        rows = away.setdefault(one.table, {})
        rows.pop(one.id, None)
        if one.released:
            rows[one.id] = one.new or one.old or {}
    known = set(stranded(seeded, released, tables))
    faults = [fault for fault in stranded(after, away, tables) if fault not in known]
    if faults:
        raise StrandedRows(faults)


def stranded(state: State, away: State, tables: Mapping[str, FrozenTable]) -> Iterator[str]:
    """What the rows that are `away` miss in a state, or have in common with its rows: a sentence each."""
    for name, table in tables.items():
        for id_, row in sorted(away.get(name, {}).items()):
            key = ", ".join(
                shown(row.get(column)) for column in table.key if column not in table.foreign_keys
            )
            where = f"{shown(name)} ({key or id_})"
            for column, link in table.foreign_keys.items():
                value = row.get(column)
                there = {**state.get(link.table, {}), **away.get(link.table, {})}
                if value is not None and link.table in tables and not link.optional and value not in there:
                    yield f"{where} was released, and its {shown(column)} leads to a row that goes"
        yield from _taken(name, table, state.get(name, {}), away.get(name, {}))


def _taken(
    name: str, table: FrozenTable, rows: Mapping[str, object], away: Mapping[str, object]
) -> Iterator[str]:
    for unique in table.uniques if away else ():
        if not (unique.exact and set(unique.columns) <= set(table.columns)):
            continue
        held = {_values(row, unique.columns): id_ for id_, row in rows.items()}
        for id_, row in sorted(away.items()):
            values = _values(row, unique.columns)
            if None not in values and held.get(values, id_) != id_:
                what = ", ".join(map(shown, unique.columns))
                yield f"{shown(name)}: {what} {', '.join(map(shown, values))} is that of a released row, too"


def _values(row: object, columns: Sequence[str]) -> tuple[object, ...]:
    values = row if isinstance(row, Mapping) else {}
    return tuple(values.get(column) for column in columns)


def refuse_renamed(
    before: tuple[State, Mapping[str, FrozenTable]],
    after: tuple[State, Mapping[str, FrozenTable]],
    models: Container[str],
) -> None:
    """Raise SetupError where most rows of a table that no model has any more come under another table's name.

    `before` and `after` are the seeded rows and tables of the newest revision, and of the documents.
    """
    (olds, frozen), (news, tables) = before, after
    for gone in [name for name in frozen if name not in tables and name not in models]:
        for new in [name for name in tables if name not in frozen]:
            if _are_mostly_the_same((frozen[gone], olds.get(gone, {})), (tables[new], news.get(new, {}))):
                raise SetupError(
                    f"the seeded table {shown(gone)} goes, and {shown(new)} comes with the same rows;"
                    " no revision was written\n"
                    "  where a schema revision renames the table, databases would take its rows for people's:"
                    " keep the table's name (the class may have another)\n"
                    f"  where it is a new table, take {shown(gone)} out in one revision, and bring"
                    f" {shown(new)} in with the next"
                )


def _are_mostly_the_same(
    one: tuple[FrozenTable, Mapping[str, Row]], other: tuple[FrozenTable, Mapping[str, Row]]
) -> bool:
    """Whether most rows of a table have the key of a row of another, or its values in all common columns."""
    common = sorted(one[0].columns.keys() & other[0].columns.keys())
    for mine, theirs in ((_own_key(one[0]), _own_key(other[0])), (common, common)):
        rows = {_values(row, mine) for row in one[1].values()} if mine and theirs else set()
        if 2 * len(rows & {_values(row, theirs) for row in other[1].values()}) > len(rows):
            return True
    return False


def _own_key(table: FrozenTable) -> list[str]:
    """The columns of a natural key but for links, unless it is made of these alone."""
    return [name for name in table.key if name not in table.foreign_keys] or list(table.key)
