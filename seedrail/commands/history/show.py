"""A seed revision as a reader's diff: what it does to each row and column, with rows and links by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seedrail.errors import OptionError
from seedrail.history.changes import Change
from seedrail.history.history import SEED_BASE, is_seed
from seedrail.history.rail import Rail, SeedRevision
from seedrail.history.rownames import Key, RowNames
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable

Names = Callable[[str, str], str]

RELEASED = "released insert"
"""The kind of a row that a squashed revision inserts, and that is released already."""


@dataclass(frozen=True)
class Cell:
    """A column of a row before and after, in canonical values; None is NULL, or that there was no row.

    Of a link it is the table and the name of the row that it points at.
    """

    column: str
    old: Any
    new: Any
    link: bool


@dataclass(frozen=True)
class RowDiff:
    """What happens to one row; `kind` is that of its change: insert, update, delete, release or return.

    A `released insert` is of a squashed revision: the row came, and was released since.
    """

    table: str
    name: str
    id: str
    kind: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RevisionDiff:
    """A seed revision: the one below it, the message it was made with, and its rows by table and name."""

    revision: str
    parent: str
    message: str
    rows: tuple[RowDiff, ...]


def show(rail: Rail, revision: str) -> RevisionDiff:
    """The diff of a revision, which may be shortened as for Alembic, or be `head`, the newest seed's.

    OptionError where it is not on the seed rail, ChangeFileError where its file is not as it was pinned.
    """
    one = _found(rail, revision)
    rail.verify([one])
    tables = {**rail.tables_at(one.parent), **one.file.header().every}
    changes = list(one.file.changes())
    known = [name for name in (one.revision, one.parent) if name != SEED_BASE]
    names = RowNames(rail, known, tables.values())
    names.learn(key for change in changes for key in _named(change, tables))
    rows = [row_diff(change, tables[change.table], names) for change in changes]
    message = rail.history.by_id[one.revision].doc or ""
    ordered = sorted(rows, key=lambda row: (row.table, row.name, row.id))
    return RevisionDiff(one.revision, one.parent, message, tuple(ordered))


def _found(rail: Rail, revision: str) -> SeedRevision:
    name = rail.head if revision == "head" else revision
    rail.history.refuse_unclear(name)
    rail.history.refuse_gone(name)
    script = rail.history.by_id.get(name) or rail.history.scripts.get_revision(name)
    if script is None or not is_seed(script):
        raise OptionError(
            f"{shown(name)} is not a revision with seeds\n"
            f"  those are {', '.join(one.revision for one in rail.revisions) or 'yet to be made'}"
        )
    squash = rail.history.squash
    if squash is not None and script is squash.script:
        return SeedRevision(squash.revision, SEED_BASE, squash.file, squash.replaces)
    return next(one for one in rail.revisions if one.revision == script.revision)


def _named(change: Change, tables: Mapping[str, FrozenTable]) -> Iterator[Key]:
    """The row itself, and the rows that it points or pointed at."""
    yield change.seed_row
    links = tables[change.table].foreign_keys
    for row in (change.old or {}, change.new or {}):
        yield from ((links[name].table, row[name]) for name in row if name in links and row[name] is not None)


def row_diff(change: Change, table: FrozenTable, names: Names) -> RowDiff:
    """What a change does to its row, in the columns of `table`; `names` names a row by table and seed id."""
    old, new = change.old or {}, change.new or {}
    # A row that is released stays as it is: it has no column to show.
    columns = [] if change.kind == "release" else sorted({*old, *new})
    cells = (_cell(column, old.get(column), new.get(column), table, names) for column in columns)
    whole = change.kind in ("insert", "delete")
    kept = tuple(cell for cell in cells if not whole or (cell.old, cell.new) != (None, None))
    kind = RELEASED if change.kind == "insert" and change.released else change.kind
    return RowDiff(change.table, names(change.table, change.id), change.id, kind, kept)


def _cell(column: str, old: Any, new: Any, table: FrozenTable, names: Names) -> Cell:
    link = table.foreign_keys.get(column)
    if link is None:
        return Cell(column, old, new, link=False)

    def target(id_: Any) -> str | None:
        return None if id_ is None else f"{link.table} {names(link.table, id_)}"

    return Cell(column, target(old), target(new), link=True)
