"""One element of a document being edited: each edit is tried, and the element read again as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seedrail.documents.documents import read_element
from seedrail.documents.edit.examples import Examples
from seedrail.documents.edit.text.patch import remove, set_value
from seedrail.documents.edit.text.style import Style
from seedrail.documents.edit.values import REMOVED, Known, ways, ways_to_link
from seedrail.documents.faults import Fault, Path
from seedrail.documents.integrity import Placed, complete
from seedrail.documents.sets import SeedSet
from seedrail.documents.sources import ABSENT, parse_bytes
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable

Key = tuple[str, str]
"""A table and a seed id."""

Values = dict[Key, dict[str, Any]]
"""Canonical rows."""


@dataclass(frozen=True)
class Cell:
    """A column of a row that is to hold a canonical value; the row is to go where `column` is empty."""

    row: Key
    column: str = ""
    value: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Reader:
    """Reads the text of an element of a seed set; `tables` are as the whole document settles them."""

    seed_set: SeedSet
    tables: Mapping[str, FrozenTable]
    declared: dict[str, FrozenTable]
    file: str

    def rows(self, text: str) -> list[Placed] | str:
        """The element's rows, whose places begin with 0; or what is wrong with it."""
        source = parse_bytes(self.file, f"[{text}]".encode("utf-8", "surrogatepass"))
        if isinstance(source, Fault):
            return source.message
        if len(source.elements) != 1:
            return "is not one element"
        rows, problems = read_element(self.seed_set, 0, self.declared, source)
        if problems:
            return problems[0][1]
        for row in rows:
            for fault in complete(row, self.tables[row.table.name]):
                return fault.message
        return rows

    def values(self, rows: Sequence[Placed]) -> Values:
        """What the rows say of the columns that are seeded."""
        return {
            (row.table.name, row.id): {
                name: row.values.get(name) for name in self.tables[row.table.name].columns
            }
            for row in rows
        }


class Draft:
    """An element with the edits made so far; each leaves every other value as it was."""

    def __init__(self, reader: Reader, text: str, style: Style, known: Known, examples: Examples) -> None:
        self.reader, self.text, self.style = reader, text, style
        self.known, self.examples = known, examples
        rows = reader.rows(text)
        if isinstance(rows, str):
            raise ValueError(f"a document that was read cannot be read again: {rows}")
        self.rows = {(row.table.name, row.id): row for row in rows}
        self.wanted = reader.values(rows)

    def edit(self, cells: Sequence[Cell]) -> dict[Cell, str]:
        """Make all edits that the document can say; those that it cannot, with the reason of each."""
        left = dict.fromkeys(cells, "")
        made = True
        while made and left:
            made = False
            for cell in list(left):
                made |= cell in left and self._make(cell, left)
        if len(left) > 1:
            self._make_together(left)
        return left

    def _make(self, cell: Cell, left: dict[Cell, str]) -> bool:
        """Try an edit, in each way that it may be written; else say in `left` why it cannot be made."""
        reason = ""
        for text in self._texts(self.text, cell):
            said = self._take(text, left)
            if not said:
                return True
            reason = reason or said
        absent = cell.column and self._written(cell) is ABSENT
        left[cell] = _COMPUTED if not reason or (absent and _UNKNOWN in reason) else reason
        return False

    def _make_together(self, left: dict[Cell, str]) -> None:
        """Edits that only fit together: the first way of each."""
        text = self.text
        # Items go from the last to the first, so that places hold.
        for cell in sorted(left, key=lambda cell: self.rows[cell.row].path, reverse=True):
            text = next(self._texts(text, cell), text)
        self._take(text, left)

    def _take(self, text: str, left: dict[Cell, str]) -> str:
        """Take a text if all that it changes are edits that are left to make, else say why not."""
        found = self.reader.rows(text)
        if isinstance(found, str):
            return f"the document refuses it: {found}"
        values = self.reader.values(found)
        made = [cell for cell in left if _is_made(cell, values) and not _is_made(cell, self.wanted)]
        if not made or not same(values, after(self.wanted, made)):
            return _COMPUTED
        self.text, self.wanted = text, values
        self.rows = {(row.table.name, row.id): row for row in found}
        for cell in made:
            del left[cell]
        return ""

    def _written(self, cell: Cell) -> Any:
        row = self.rows[cell.row]
        return row.source.value(row.place(cell.column))

    def _texts(self, text: str, cell: Cell) -> Iterator[str]:
        """The element's text with an edit, in each way that the edit may be written."""
        row = self.rows[cell.row]
        for path, value in self._places(row, cell):
            inside = path[1:]
            if value is REMOVED:
                changed = remove(text, inside)
            else:
                order, lines = self.examples.order(row, path), self.examples.in_lines(row, path)
                changed = set_value(text, inside, value, self.style, order, lines=lines)
            if changed is not None and changed != text:
                yield changed

    def _places(self, row: Placed, cell: Cell) -> Iterator[tuple[Path, Any]]:
        if not cell.column:
            if len(row.path) > 1:
                yield row.path, REMOVED
                yield row.path, None
            return
        path = row.place(cell.column)
        for value in self._ways(row, cell):
            yield path, value
        if path[-1] != cell.column and cell.column not in row.paths and row.source.value(path) is ABSENT:
            yield from (((*path[:-1], cell.column), value) for value in self._ways(row, cell))
        # A link that names nobody may be one that has no object.
        if cell.value is None:
            for depth in range(len(path) - 1, len(row.path), -1):
                yield path[:depth], None
                yield path[:depth], REMOVED

    def _ways(self, row: Placed, cell: Cell) -> Iterator[Any]:
        table = self.reader.tables[row.table.name]
        link = table.foreign_keys.get(cell.column)
        if link is not None and cell.value is not None and (link.table, cell.value) in self.known:
            others = [row, *self.examples.of(row.table.name, cell.column, cell.value)]
            yield from ways_to_link(self.known, row, cell.column, cell.value, others)
            return
        written = row.source.value(row.place(cell.column))
        if written is ABSENT or written is None:
            written = self.examples.written(row.table.name, cell.column)
        yield from ways(table.columns[cell.column].type, cell.value, written)


_COMPUTED = "the document has no value of its own for it: it is computed of others, or gives others too"


_UNKNOWN = "unknown key"
"""What is said of a key that a schema does not have."""


def _is_made(cell: Cell, values: Values) -> bool:
    row = values.get(cell.row)
    if not cell.column or row is None:
        return not cell.column and row is None
    return canonical_json(row[cell.column]) == canonical_json(cell.value)


def after(values: Values, cells: Sequence[Cell]) -> Values:
    """Rows with some edits made."""
    gone = {cell.row for cell in cells if not cell.column}
    changed = {key: dict(row) for key, row in values.items() if key not in gone}
    for cell in cells:
        if cell.column and cell.row in changed:
            changed[cell.row][cell.column] = cell.value
    return changed


def same(one: Values, other: Values) -> bool:
    """Whether rows are the same, to the letter of a change file."""
    return one.keys() == other.keys() and all(
        canonical_json(one[key]) == canonical_json(other[key]) for key in one
    )
