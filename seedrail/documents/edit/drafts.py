"""People's rows written into the documents: as far as these can say them, and never anything else."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seedrail.documents.documents import read_placed
from seedrail.documents.edit.asked import Left, Wish, asked
from seedrail.documents.edit.elements import Cell, Draft, Key, Reader, Values, same
from seedrail.documents.edit.examples import Examples
from seedrail.documents.edit.pieces import EditedFile, pieces_of
from seedrail.documents.edit.text.style import Style
from seedrail.documents.faults import DocumentError, Fault, Path
from seedrail.documents.integrity import Placed
from seedrail.documents.sets import SeedCatalog, SeedSet
from seedrail.documents.sources import Source
from seedrail.errors import SeedError
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable

Place = tuple[str, int]
"""A seed set, and the index of an element of its document."""


@dataclass(frozen=True)
class Edited:
    """The documents that change, the edits that they then say, and those that are left.

    `rows` are the natural keys of their rows, by table and seed id; None of a row that no document has.
    """

    files: tuple[EditedFile, ...]
    made: tuple[Cell, ...]
    left: tuple[Left, ...]
    rows: Mapping[Key, Any]


@dataclass(frozen=True)
class _Drafted:
    """An element with its edits: its text, or None where the whole of it goes, its rows, and what is left."""

    text: str | None
    values: Values
    left: Mapping[Cell, str]
    rows: Mapping[Key, Placed]

    def to_blame(self, cells: Sequence[Cell], path: Path) -> Sequence[Cell]:
        """Those of the element's edits that stand where a fault does, or else all of them."""
        there = [
            cell
            for cell in cells
            if cell.row in self.rows and self.rows[cell.row].place(cell.column)[1:] == path[1:]
        ]
        return there or cells


def edited(catalog: SeedCatalog, before: Mapping[str, FrozenTable], wishes: Iterable[Wish]) -> Edited:
    """The documents with people's edits; `before` are the tables of the newest seed state.

    Each element is read again with its edits, and in the end all documents: what they then ask for is what
    they asked for before with these edits, and nothing else. DocumentError where they have faults already.
    """
    desk = _Desk(catalog, before)
    cells, left = asked(wishes, desk.read, desk.known)
    cells += desk.cut(cells)
    reasons = desk.edit(cells)
    left += [Left(*cell.row, cell.column, reason) for cell, reason in reasons.items()]
    made = tuple(cell for cell in cells if cell not in reasons)
    named = {*(cell.row for cell in cells), *((one.table, one.id) for one in left)}
    return Edited(tuple(desk.files()), made, tuple(left), {key: desk.named(*key) for key in named})


class _Desk:
    """The documents as they are, and drafts of the elements that change."""

    def __init__(self, catalog: SeedCatalog, before: Mapping[str, FrozenTable]) -> None:
        self.catalog, self.before = catalog, before
        self.read = read_placed(catalog, before)
        self.known: dict[Key, Placed] = {(row.table.name, row.id): row for row in self.read.placed}
        self.examples = Examples(self.read.placed)
        self.by_table = {table.table.name: one for one in catalog.sets for table in one.tables}
        self.elements: dict[Place, list[Key]] = defaultdict(list)
        for key in self.known:
            self.elements[self.place(key)].append(key)
        self.drafts: dict[Place, _Drafted] = {}

    @cached_property
    def sources(self) -> dict[str, tuple[Source, Style]]:
        """The documents that have rows, by seed set."""
        found = {self.by_table[row.table.name].name: row.source for row in self.known.values()}
        return {name: (source, Style.of(source.text.text)) for name, source in found.items()}

    def place(self, key: Key) -> Place:
        """The element in which a row stands."""
        return self.by_table[key[0]].name, int(self.known[key].path[0])

    def named(self, table: str, id_: str) -> Any:
        """A row's natural key by column, parents by theirs."""
        row = self.known.get((table, id_))
        return row and {
            name: self.named(link.table, row.values[name]) or row.values[name]
            if (link := row.table.foreign_keys.get(name))
            else row.values[name]
            for name in row.table.key
        }

    def cut(self, cells: Sequence[Cell]) -> list[Cell]:
        """The links into rows that are gone: whoever deleted these left them empty, and edited nothing."""
        gone = {cell.row for cell in cells if not cell.column}
        told = {(cell.row, cell.column) for cell in cells}
        return [
            Cell(key, column)
            for key, row in self.known.items()
            if gone and key not in gone
            for column, link in self.read.tables[key[0]].foreign_keys.items()
            if (link.table, row.values.get(column)) in gone and (key, column) not in told
            if row.table.columns[column].nullable
        ]

    def edit(self, cells: Sequence[Cell]) -> dict[Cell, str]:
        """Draft the elements until all fit together; what is left, with reasons."""
        refused: dict[Cell, str] = {}
        by_place: dict[Place, list[Cell]] = defaultdict(list)
        for cell in cells:
            by_place[self.place(cell.row)].append(cell)
        stale = set(by_place)
        while stale:
            for place in sorted(stale):
                self.drafts[place] = self._draft(
                    place, [cell for cell in by_place[place] if cell not in refused]
                )
            new = self._unfit(by_place, refused)
            refused |= new
            stale = {self.place(cell.row) for cell in new}
        for draft in self.drafts.values():
            refused |= draft.left
        return refused

    def _draft(self, place: Place, cells: Sequence[Cell]) -> _Drafted:
        keys = self.elements[place]
        if {cell.row for cell in cells if not cell.column} == set(keys):
            return _Drafted(None, {}, {}, {})
        source, style = self.sources[place[0]]
        start, end = source.text.element(place[1])
        reader = Reader(self._set(place[0]), self.read.tables, self.catalog.tables, source.file)
        draft = Draft(reader, source.text.text[start:end], style, self.known, self.examples)
        left = draft.edit(cells)
        return _Drafted(draft.text, draft.wanted, left, draft.rows)

    def _set(self, name: str) -> SeedSet:
        return next(one for one in self.catalog.sets if one.name == name)

    # -- all documents together

    def _unfit(
        self, by_place: Mapping[Place, Sequence[Cell]], refused: Mapping[Cell, str]
    ) -> dict[Cell, str]:
        """Edits that do not fit to what the documents say elsewhere, with the reason of each."""
        rows = self._rows()
        links = dict(self._links_into_nothing(rows))
        if links:
            return links
        instead = {file.seed_set: file.after for file in self.files()}
        if not instead:
            return {}
        try:
            found = read_placed(self.catalog, self.before, instead)
        except DocumentError as error:
            made = {
                place: [cell for cell in cells if cell not in refused and cell not in self.drafts[place].left]
                for place, cells in by_place.items()
            }
            return self._blamed(error, made)
        now = {
            (name, id_): {column: row.get(column) for column in found.tables[name].columns}
            for name, by_id in found.rows.items()
            for id_, row in by_id.items()
        }
        if not same(now, rows):
            raise SeedError(
                "the edited documents would say something else than the rows do; nothing was written\n"
                "  flatten() of a seed set gives other rows for the same element by what stands around it"
            )
        return {}

    def _rows(self) -> Values:
        """The rows that the drafts and the other elements ask for."""
        rows: Values = {}
        for place, keys in self.elements.items():
            draft = self.drafts.get(place)
            if draft is not None:
                rows |= draft.values
            else:
                rows |= {key: self._values(key) for key in keys}
        return rows

    def _values(self, key: Key) -> dict[str, object]:
        return {name: self.known[key].values.get(name) for name in self.read.tables[key[0]].columns}

    def _links_into_nothing(self, rows: Values) -> Iterator[tuple[Cell, str]]:
        """Rows that may not go, because another one that stays leads to them."""
        if len(rows) == len(self.known):
            return
        for (table, _), row in rows.items():
            for column, link in self.read.tables[table].foreign_keys.items():
                target = link.table, str(row[column])
                if row[column] is not None and target in self.known and target not in rows:
                    yield Cell(target), f"a row of {shown(table)} still leads to it"

    def _blamed(self, error: DocumentError, made: Mapping[Place, Sequence[Cell]]) -> dict[Cell, str]:
        """The edits of the elements that have faults now; where these had none, all rows that were to go."""
        blamed: dict[Cell, str] = {}
        for fault in error.faults:
            place = self._place_of(fault)
            if place in made:
                cells = self.drafts[place].to_blame(made[place], fault.path)
                blamed |= dict.fromkeys(cells, f"the document refuses it: {fault.message}")
        if not blamed:
            gone = (cell for cells in made.values() for cell in cells if not cell.column)
            blamed = dict.fromkeys(gone, f"without it, {error.faults[0].message}")
        if not blamed:
            raise error
        return blamed

    def _place_of(self, fault: Fault) -> Place:
        """The element that a fault of the edited documents is in."""
        for name, (source, _) in self.sources.items():
            if source.file == fault.file and fault.path:
                count = len(source.elements)
                kept = [n for n in range(count) if not self._goes((name, n))]
                index = int(fault.path[0])
                return name, kept[index] if index < len(kept) else -1
        return "", -1

    def _goes(self, place: Place) -> bool:
        return place in self.drafts and self.drafts[place].text is None

    # -- files

    def files(self) -> Iterator[EditedFile]:
        """The documents that the drafts change."""
        for one in self.catalog.sets:
            mine = {index: draft.text for (name, index), draft in self.drafts.items() if name == one.name}
            if not mine:
                continue
            source = self.sources[one.name][0]
            pieces = pieces_of(source.text, len(source.elements), mine)
            if any(old != new for old, new in pieces):
                yield EditedFile(one.name, one.document, source.file, pieces)
