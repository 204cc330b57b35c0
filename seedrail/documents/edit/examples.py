"""How other rows of a document are written: where a key stands, what a link looks like."""

from collections.abc import Sequence
from typing import Any

from seedrail.documents.edit.text.spans import descend, scan
from seedrail.documents.faults import Path
from seedrail.documents.integrity import Placed
from seedrail.documents.sources import ABSENT

_FEW = 3


class Examples:
    """The rows of all documents, asked for one like another; what was found is kept."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        self._rows: dict[str, list[Placed]] = {}
        for row in placed:
            self._rows.setdefault(row.table.name, []).append(row)
        self._links: dict[tuple[str, str], dict[Any, Placed]] = {}
        self._orders: dict[tuple[str, Path], list[str]] = {}
        self._lines: dict[tuple[str, Path], bool] = {}
        self._written: dict[tuple[str, str], Any] = {}

    def of(self, table: str, column: str, target: str) -> list[Placed]:
        """A row with a link in the column that leads to the target, if there is one, and a few others."""
        by_target = self._links.get((table, column))
        if by_target is None:
            by_target = self._links[table, column] = {}
            for row in self._rows.get(table, ()):
                value = row.values.get(column)
                if value is not None and value not in by_target and self._shows(row, column):
                    by_target[value] = row
        others = [row for value, row in zip(by_target, by_target.values(), strict=False) if value != target]
        return [*([by_target[target]] if target in by_target else []), *others[:_FEW]]

    def written(self, table: str, column: str) -> Any:
        """What some row's document has for a column; ABSENT where none has anything."""
        if (table, column) not in self._written:
            found = (row.source.value(row.place(column)) for row in self._rows.get(table, ()))
            self._written[table, column] = next((one for one in found if one not in (ABSENT, None)), ABSENT)
        return self._written[table, column]

    def order(self, row: Placed, path: Path) -> list[str]:
        """The keys of an object in which the first missing key of a path would stand, in their order.

        As another row has them; where none has that key, as the table has its columns.
        """
        above = len(row.path)
        while above < len(path) - 1 and row.source.value(path[: above + 1]) is not ABSENT:
            above += 1
        if len(path) <= above:
            return []
        inside, key = path[len(row.path) : above], path[above]
        where = row.table.name, (*inside, key)
        if where not in self._orders:
            self._orders[where] = self._keys(row, inside, key)
        return self._orders[where]

    def _keys(self, row: Placed, inside: Path, key: str | int) -> list[str]:
        for one in self._rows.get(row.table.name, ()):
            found = one.source.value((*one.path, *inside))
            if isinstance(found, dict) and key in found:
                return list(found)
        places = (row.place(name)[len(row.path) :] for name in row.table.columns)
        return [
            str(one[len(inside)]) for one in places if one[: len(inside)] == inside and len(one) > len(inside)
        ]

    def in_lines(self, row: Placed, path: Path) -> bool:
        """Whether an object or list at a path is written in lines: as another row has it, or as rows are."""
        inside = path[len(row.path) :]
        where = row.table.name, inside
        if where not in self._lines:
            self._lines[where] = self._in_lines(row, inside)
        return self._lines[where]

    def _in_lines(self, row: Placed, inside: Path) -> bool:
        for one in self._rows.get(row.table.name, ()):
            found = one.source.value((*one.path, *inside))
            if isinstance(found, dict | list) and found:
                return "\n" in _text(one, (*one.path, *inside))
        for one in self._rows.get(row.table.name, ())[:1]:
            return "\n" in _text(one, one.path)
        return True

    @staticmethod
    def _shows(row: Placed, column: str) -> bool:
        return row.source.value(row.place(column)) is not ABSENT


def _text(row: Placed, path: Path) -> str:
    """How a value of a document is written."""
    index, *inside = path
    start, end = row.source.text.element(int(index))
    text = row.source.text.text[start:end]
    node, _ = descend(scan(text), inside)
    return text[node.start : node.end]
