"""Whose value a cell holds: what each revision gave it, what the seed met there, and who stands on top."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.dialects import dialect_named
from seedrail.errors import OptionError
from seedrail.history.changes import Change, changed_columns
from seedrail.history.history import SEED_BASE
from seedrail.history.lines import change_of
from seedrail.history.rail import Rail, SeedRevision
from seedrail.history.rownames import RowNames, flat
from seedrail.integration.look.looking import Heads, looking
from seedrail.integration.run import SeedRun
from seedrail.merge.ledger import ABSENT, CUT, EXISTS, OWNER, PRESENT, SEED, seed_claims
from seedrail.merge.report.differing import DELETED, EDITED, DifferentRow
from seedrail.merge.report.drift import different_rows
from seedrail.quoting import shown
from seedrail.schema.identity import as_text
from seedrail.schema.tables import FrozenTable

THE_SEED, EDITS, KEPT, GONE, ELSEWHERE = "the seed", "an edit", "its owner", "nobody", "no revision"
"""Who stands on top: the seed; people, who changed it since; people, as a policy left it; nobody, where the
row is gone; and no revision, where the seed does not hold the row (yet, or any more)."""


@dataclass(frozen=True)
class Given:
    """What a revision did to a cell, and who made the revision when, as far as git knows."""

    revision: str
    kind: str
    value: str | None
    author: str = ""
    date: str = ""
    applied: bool = True


@dataclass(frozen=True)
class Met:
    """What the seed met in a cell at a revision, and who stood on top since: owner, seed, or cut."""

    revision: str
    value: str | None
    stands: str


@dataclass(frozen=True)
class CellBlame:
    """A column, or the row itself where `column` is empty; `now` is the value that is not the seed's."""

    column: str
    given: tuple[Given, ...]
    met: tuple[Met, ...]
    stands: str
    now: str | None = None


@dataclass(frozen=True)
class Blame:
    """A row by its table, natural key and seed id, and its cells, itself first."""

    table: str
    row: Any
    id: str
    cells: tuple[CellBlame, ...]


def blamer(table: str, key: str, column: str, found: list[Blame]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that asks for a row, or one column of it.

    `key` is the row's seed id, or the parts of its natural key, comma-separated: as many as tell it apart.
    """
    return looking(lambda run, connection, heads: _blame(run, connection, heads, table, key, column), found)


def _blame(run: SeedRun, connection: Connection, heads: Heads, table: str, key: str, column: str) -> Blame:
    rail = run.rail
    rail.verify(rail.revisions)
    tables = _tables(rail)
    names = RowNames(rail, [one.revision for one in rail.revisions], tables.values())
    id_ = _found(rail, names, tables, table, key)
    applied = rail.position(run.seed_revision(heads) or SEED_BASE)
    changes = list(_changes(rail, table, id_))
    columns = sorted({name for _, change in changes for name in {**(change.old or {}), **(change.new or {})}})
    if column and column not in columns:
        raise OptionError(f"{shown(table)} has no seeded column {shown(column)}: {', '.join(columns)}")
    rows = different_rows(connection, rail, quiet=run.options.quiet)
    differs = next((one for one in rows if (one.table, one.id) == (table, id_)), None)
    there = _is_there(changes, applied, rail)
    met = _met(connection, rail, table, id_)
    authors = {one.revision: _author(rail.made_with(one)) for one, _ in changes}
    told = _Told(names, tables[table])

    def given(name: str) -> Iterator[Given]:
        for one, kind, value in _given(changes, name):
            done = rail.position(one.revision) <= applied
            yield Given(one.revision, kind, told(name, value), *authors[one.revision], done)

    cells = [
        CellBlame(
            name,
            tuple(given(name)),
            tuple(one for where, one in met if where == name),
            *_stands(name, differs, there=there),
        )
        for name in ([column] if column else ["", *columns])
    ]
    return Blame(table, names.words(table, id_), id_, tuple(cells))


@dataclass(frozen=True)
class _Told:
    """Values as people read them: links by the table and name of their row."""

    names: RowNames
    table: FrozenTable

    def __call__(self, column: str, value: Any) -> str | None:
        link = self.table.foreign_keys.get(column)
        if link is None or not isinstance(value, str):
            return as_text(value)
        self.names.learn([(link.table, value)])
        return f"{link.table} {self.names(link.table, value)}"


def _tables(rail: Rail) -> dict[str, FrozenTable]:
    """All tables that were ever seeded, as they were last."""
    known: dict[str, FrozenTable] = {}
    for one in rail.revisions:
        known |= rail.tables_at(one.revision)
    return known


def _found(rail: Rail, names: RowNames, tables: Mapping[str, FrozenTable], table: str, key: str) -> str:
    """The seed id of the one row that a key tells; OptionError where there is none, or several."""
    if table not in tables:
        known = ", ".join(map(shown, sorted(tables))) or "none yet"
        raise OptionError(f"{shown(table)} is no seeded table; those are {known}")
    lines = (line for one in rail.revisions for block in one.file.blocks() for line in block)
    ids = {line.id for line in lines if line.table == table}
    if key in ids:
        names.learn([(table, key)])
        return key
    names.learn((table, id_) for id_ in ids)
    parts = [part.strip() for part in key.split(",")]
    rows = {id_: list(flat(names.words(table, id_) or {})) for id_ in ids}
    fitting = sorted(id_ for id_, words in rows.items() if words[: len(parts)] == parts)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise OptionError(f"no revision ever had a row {shown(key)} of {shown(table)}")
    some = "\n".join(f"  {names(table, id_)}" for id_ in fitting[:5])
    more = f"\n  … and {len(fitting) - 5} more" if len(fitting) > 5 else ""
    raise OptionError(f"{len(fitting)} rows of {shown(table)} begin with {shown(key)}:\n{some}{more}")


def _changes(rail: Rail, table: str, id_: str) -> Iterator[tuple[SeedRevision, Change]]:
    """What each revision says of the row."""
    for one in rail.revisions:
        for line in one.file.lines_of({id_}):
            if line.seed_row == (table, id_):
                yield one, change_of(line, one.revision)


def _given(
    changes: Sequence[tuple[SeedRevision, Change]], name: str
) -> Iterator[tuple[SeedRevision, str, Any]]:
    for one, change in changes:
        if name == EXISTS:
            if change.kind != "update":
                yield one, change.kind, None
            continue
        old, new = change.old or {}, change.new or {}
        if change.kind == "insert" or (change.kind != "delete" and name in changed_columns(old, new)):
            yield one, change.kind, new.get(name)


def _is_there(changes: Sequence[tuple[SeedRevision, Change]], applied: int, rail: Rail) -> bool:
    """Whether the seed holds the row where the database is."""
    done = [change for one, change in changes if rail.position(one.revision) <= applied]
    return bool(done) and done[-1].after == "seeded"


def _met(connection: Connection, rail: Rail, table: str, id_: str) -> list[tuple[str, Met]]:
    c, dialect = seed_claims.c, dialect_named(connection.dialect.name)
    claims = sa.select(c.column_name, c.position, dialect.text(c.value), c.stands)
    mine = c.table_name == table, c.seed_id == sa.literal(id_, sa.Uuid(as_uuid=False))
    with dialect.readable(connection):
        rows = list(connection.execute(claims.where(*mine).order_by(c.ordinal)))
    return [(name, Met(rail.at(at), value, stands)) for name, at, value, stands in rows]


def _stands(name: str, differs: DifferentRow | None, *, there: bool) -> tuple[str, str | None]:
    """Who stands on top, and the value that is there instead of the seed's."""
    if not there:
        return ELSEWHERE, None
    if differs is None:
        return THE_SEED, None
    if differs.kind == DELETED or (name == EXISTS and not differs.cells):
        return GONE, None
    cell = next((one for one in differs.cells if one.column == name), None)
    if cell is None:
        return THE_SEED, None
    return (EDITS if differs.kind == EDITED else KEPT), cell.found


def _author(file: Path) -> tuple[str, str]:
    """Who added a file to git, and on which day; nothing where git, or its history, is not there."""
    command = ["git", "log", "--diff-filter=A", "--format=%an%x09%as", "-1", "--", file.name]
    try:
        found = subprocess.run(  # noqa: S603 -- git, with a name from the history
            command, cwd=file.parent, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return "", ""
    author, _, date = found.stdout.strip().partition("\t")
    return author, date


WORDS = {
    (ABSENT, OWNER): "somebody had deleted it: left gone",
    (ABSENT, SEED): "somebody had deleted it, or it had lived before: made anew",
    (PRESENT, OWNER): "it was somebody's, or had to stay",
    (PRESENT, SEED): "deleted with somebody's values in it",
}
"""What a claim on a whole row says."""


def said(name: str, met: Met) -> str:
    """A claim in words, without its value."""
    if name == EXISTS:
        return WORDS.get((met.value or "", met.stands), met.stands)
    if met.stands == CUT:
        return "the row that it leads to was not there: left with"
    return "kept for its owner" if met.stands == OWNER else "overwritten, and kept in the ledger"
