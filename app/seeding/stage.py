"""Staging: the net changes of a move in temporary tables, one for each table and kind of change.

Staged rows have the live table's columns under prefixes: `o_` the old value, `n_` the new one, `r_` the
position of the seed revision that changed the column (NULL where an update leaves it alone). `outcome` says
why a row is not simply written: `adopted`, `kept`, `absent`, `released`; NULL is the plain case.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from app.seeding.changes import Change
from app.seeding.dialects import SeedDialect
from app.seeding.errors import SetupError
from app.seeding.tables import FrozenTable
from app.seeding.types import ColumnType

BATCH = 2_000
"""Rows that are held in memory for one bulk load."""


@dataclass
class StagedTable:
    """A seed table in a move: its live columns and its three staging tables with their row counts."""

    frozen: FrozenTable
    columns: tuple[str, ...]
    live: sa.Table
    inserts: sa.Table
    updates: sa.Table
    deletes: sa.Table
    revivals: sa.Table
    """Whole rows for updates that may have to insert or delete: a row that was gone comes back."""
    reviving: bool = False
    counts: dict[str, int] = field(default_factory=lambda: {"insert": 0, "update": 0, "delete": 0})
    updated: set[str] = field(default_factory=set)
    """The columns that some update of this move changes."""

    def has(self, kind: str) -> bool:
        """Whether the program must look at staged rows of a kind."""
        revived = self.reviving and kind != "update" and self.counts["update"] > 0
        return self.counts[kind] > 0 or revived

    @property
    def name(self) -> str:
        """The live table's name."""
        return self.frozen.name

    @property
    def live_id(self) -> ColumnElement[Any]:
        """The live table's primary key."""
        return self.live.c[self.frozen.id]

    def by_kind(self, kind: str) -> sa.Table:
        """The staging table of `insert`, `update` or `delete`."""
        return {
            "insert": self.inserts,
            "update": self.updates,
            "delete": self.deletes,
            "revival": self.revivals,
        }[kind]

    @property
    def stages(self) -> list[sa.Table]:
        """Its staging tables."""
        return [self.inserts, self.updates, self.deletes, self.revivals]


class Loader(Protocol):
    """Where staged rows go: a connection or a script."""

    def load(self, table: sa.Table, columns: Sequence[str], rows: list[Sequence[Any]]) -> None:
        """Add stored rows to a staging table."""


def staged_table(frozen: FrozenTable, live_columns: Mapping[str, TypeEngine[Any]] | None) -> StagedTable:
    """The staging of a table; a column that the live table no longer has is left out.

    `live_columns` are all columns of the live table, or None offline, where it is as it was frozen.
    """
    present = set(frozen.columns if live_columns is None else live_columns)
    missing_key = [name for name in (*frozen.key, frozen.id) if name not in {*present, frozen.id}]
    if missing_key:
        raise SetupError(
            f"the live table {frozen.name} has no column {', '.join(missing_key)}, which its seeds'"
            " natural key needs; make a schema revision that keeps it, or take the table's seeds out"
        )
    columns = tuple(name for name in frozen.columns if name in present)
    metadata = sa.MetaData()

    def column(name: str, prefix: str = "") -> sa.Column[Any]:
        return sa.Column(prefix + name, frozen.columns[name].type.sqlalchemy())

    def stage(suffix: str, *parts: sa.Column[Any]) -> sa.Table:
        return sa.Table(
            f"seed_{suffix}_{frozen.name}"[:63],
            metadata,
            sa.Column("seed_id", sa.Uuid(), primary_key=True),
            sa.Column("live_id", sa.Uuid()),
            sa.Column("position", sa.Integer()),
            sa.Column("outcome", sa.Text()),
            *parts,
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DROP",
        )

    changes = [
        part
        for name in columns
        for part in (column(name, "o_"), column(name, "n_"), sa.Column("r_" + name, sa.Integer()))
    ]
    return StagedTable(
        frozen,
        columns,
        _live_table(frozen, columns, live_columns or {}),
        stage("insert", *(column(name, "n_") for name in columns)),
        stage("update", *changes),
        stage("delete", *(column(name, "o_") for name in columns)),
        stage("revival", *(column(name, "n_") for name in columns)),
    )


def _live_table(
    frozen: FrozenTable, columns: Iterable[str], live_columns: Mapping[str, TypeEngine[Any]]
) -> sa.Table:
    typed = {name: frozen.columns[name].type.sqlalchemy() for name in columns}
    others = {name: type_ for name, type_ in live_columns.items() if name not in {*typed, frozen.id}}
    return sa.Table(
        frozen.name,
        sa.MetaData(),
        sa.Column(frozen.id, sa.Uuid()),
        *(sa.Column(name, type_) for name, type_ in typed.items()),
        *(sa.Column(name, type_) for name, type_ in others.items()),
    )


def load_revivals(
    rows: Iterable[Change],
    staged: StagedTable,
    positions: Mapping[str, int],
    dialect: SeedDialect,
    loader: Loader,
) -> None:
    """Send whole rows, given as inserts, to the table's revivals."""
    batch = _batch(staged, "revival", positions, dialect)
    for row in rows:
        batch.add(row)
        if len(batch.rows) >= BATCH:
            batch.flush(loader)
    batch.flush(loader)


def load_changes(
    changes: Iterable[Change],
    tables: Mapping[str, StagedTable],
    positions: Mapping[str, int],
    dialect: SeedDialect,
    loader: Loader,
) -> None:
    """Send changes to their staging tables in batches, and count them."""
    batches: dict[tuple[str, str], _Batch] = {}
    for change in changes:
        effect = change.effect
        if effect is None:
            continue
        key = (change.table, effect)
        batch = batches.get(key)
        if batch is None:
            batch = batches[key] = _batch(tables[change.table], effect, positions, dialect)
        batch.add(change)
        if len(batch.rows) >= BATCH:
            batch.flush(loader)
    for batch in batches.values():
        batch.flush(loader)


@dataclass
class _Batch:
    staged: StagedTable
    kind: str
    columns: list[str]
    encode: Callable[[Change], Sequence[Any]]
    rows: list[Sequence[Any]] = field(default_factory=list)

    def add(self, change: Change) -> None:
        self.rows.append(self.encode(change))
        if self.kind == "update" and change.new:
            self.staged.updated.update(set(change.revisions) & set(self.staged.columns))

    def flush(self, loader: Loader) -> None:
        if self.rows:
            loader.load(self.staged.by_kind(self.kind), self.columns, self.rows)
            if self.kind in self.staged.counts:
                self.staged.counts[self.kind] += len(self.rows)
            self.rows = []


def _batch(staged: StagedTable, kind: str, positions: Mapping[str, int], dialect: SeedDialect) -> _Batch:
    types = {name: staged.frozen.columns[name].type for name in staged.columns}
    stored = {name: _nullable(dialect.stored(type_)) for name, type_ in types.items()}
    identify = dialect.stored(ColumnType("uuid"))
    head = ["seed_id", "live_id", "position"]

    def whole(change: Change) -> Sequence[Any]:
        row = change.new if change.new is not None else change.old
        id_ = identify(change.id)
        live = id_ if kind == "delete" else None
        values = (encode((row or {}).get(name)) for name, encode in stored.items())
        return (id_, live, positions[change.revision], *values)

    def partial(change: Change) -> Sequence[Any]:
        id_ = identify(change.id)
        position = max(positions[revision] for revision in change.revisions.values())
        return (id_, id_, position, *_partial_values(change, stored, positions))

    if kind == "update":
        return _Batch(staged, kind, [*head, *_triple_names(staged.columns)], partial)
    prefix = "o_" if kind == "delete" else "n_"
    return _Batch(staged, kind, [*head, *(prefix + name for name in staged.columns)], whole)


def _partial_values(
    change: Change, stored: Mapping[str, Callable[[Any], Any]], positions: Mapping[str, int]
) -> Iterator[Any]:
    old, new = change.old or {}, change.new or {}
    for name, encode in stored.items():
        changed = name in change.revisions
        yield encode(old.get(name))
        yield encode(new.get(name))
        yield positions[change.revisions[name]] if changed else None


def _triple_names(columns: Iterable[str]) -> Iterator[str]:
    for name in columns:
        yield from ("o_" + name, "n_" + name, "r_" + name)


def _nullable(encode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else encode(value)
