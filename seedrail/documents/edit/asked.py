"""What people made of seeded rows, held against what the documents say of them by now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seedrail.documents.documents import Placements
from seedrail.documents.edit.elements import Cell, Key
from seedrail.documents.integrity import Placed
from seedrail.quoting import shown
from seedrail.schema.identity import canonical_json


@dataclass(frozen=True)
class Wish:
    """What people made of a row: canonical values of columns, each behind what the seed had left there.

    The row is gone where `values` is None. Links hold the seed ids of rows that documents define.
    """

    table: str
    id: str
    values: Mapping[str, tuple[Any, Any]] | None


@dataclass(frozen=True)
class Left:
    """An edit that no document can say, and why; of the row itself where `column` is empty.

    `said` are those that the document says already.
    """

    table: str
    id: str
    column: str
    reason: str
    said: bool = False


def asked(
    wishes: Iterable[Wish], read: Placements, known: Mapping[Key, Placed]
) -> tuple[list[Cell], list[Left]]:
    """The edits to try, and those that are out of the question."""
    cells: list[Cell] = []
    left: list[Left] = []
    for wish in wishes:
        key = wish.table, wish.id
        row = known.get(key)
        if row is None:
            left.append(Left(*key, "", "the document has the row no more", said=wish.values is None))
        elif wish.values is None:
            cells.append(Cell(key))
        else:
            for column, (base, value) in wish.values.items():
                refused = _refused(read, known, row, column, base, value)
                if refused:
                    left.append(Left(*key, column, refused, said=refused == _SAID))
                else:
                    cells.append(Cell(key, column, value))
    return cells, left


_SAID = "the document says it already"


def _refused(
    read: Placements, known: Mapping[Key, Placed], row: Placed, column: str, base: Any, value: Any
) -> str:
    """Why a document is not to say a value; empty where it may."""
    table = read.tables.get(row.table.name)
    if table is None or column not in table.columns:
        return "the column is seeded no more"
    now = row.values.get(column)
    if alike(now, value):
        return _SAID
    if not alike(now, base):
        return "the document has another value by now than this database was given"
    if column in table.key:
        return "it is part of the natural key: with another one it would be another row"
    link = table.foreign_keys.get(column)
    if (
        link is not None
        and value is not None
        and link.table in read.rows
        and (link.table, value) not in known
    ):
        return f"it leads to a row of {shown(link.table)} that no document has"
    return ""


def alike(one: Any, other: Any) -> bool:
    """Whether canonical values are the same to the letter."""
    return canonical_json(one) == canonical_json(other)
