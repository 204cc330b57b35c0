"""Staging: the net changes of a move in temporary tables, one for each table and kind of change.

Staged rows have the live table's columns under prefixes: `o_` the old value, `n_` the new one, `r_` the
position of the seed revision that changed the column (NULL where an update leaves it alone). `outcome` says
why a row is not simply written: `adopted`, `kept`, `absent`, `released`; NULL is the plain case.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

import sqlalchemy as sa
from msgspec import Raw, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from seedrail.dialects.base import OF
from seedrail.errors import ChangeFileError, SetupError
from seedrail.history.changes import Change
from seedrail.history.lines import RESTORE, UNREADABLE, Lone
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable
from seedrail.schema.types import ColumnType

BATCH = 200
"""Rows that are sent at a time: few, so that a server reads them while the next are made."""

MIXED_BATCH = 5_000
"""The same for a table with more than one kind of change, whose bulk loads take turns."""


@dataclass
class StagedTable:
    """A seed table in a move: its live columns, and its staging tables with their row counts.

    A move needs few of the staging tables that it could have, and each is defined when it is asked for.
    """

    frozen: FrozenTable
    columns: tuple[str, ...]
    live: sa.Table
    links: Mapping[str, frozenset[str]] | None = None
    """Set for a table whose rows are loaded as they are: the ids that its optional links may hold."""
    loaded: int = 0
    """How many rows were."""
    unlinked: Counter[str] = field(default_factory=Counter)
    """How many of their optional links led nowhere, by the table that they led to."""
    reviving: bool = False
    released: bool = False
    """Whether some of its staged rows are released on the way."""
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

    @cached_property
    def inserts(self) -> sa.Table:
        """Rows that come."""
        return self._stage("insert")

    @cached_property
    def updates(self) -> sa.Table:
        """Rows of which some columns change."""
        return self._stage("update")

    @cached_property
    def deletes(self) -> sa.Table:
        """Rows that go."""
        return self._stage("delete")

    @cached_property
    def revivals(self) -> sa.Table:
        """Whole rows for updates that may have to insert or delete: a row that was gone comes back."""
        return self._stage("revival")

    def by_kind(self, kind: str) -> sa.Table:
        """Where rows of a kind go: to a staging table, or for `load` into the live one."""
        match kind:
            case "insert":
                return self.inserts
            case "update":
                return self.updates
            case "delete":
                return self.deletes
            case "revival":
                return self.revivals
        return self.live

    def _stage(self, kind: str) -> sa.Table:
        columns = [
            sa.Column(prefix + name, INTEGER.sqlalchemy())
            if prefix == "r_"
            else sa.Column(prefix + name, self.frozen.columns[name].type.sqlalchemy(), info={OF: name})
            for name in self.columns
            for prefix in _PREFIXES[kind]
        ]
        return sa.Table(
            stage_name(kind, self.name),
            sa.MetaData(),
            sa.Column("seed_id", sa.Uuid(), info={OF: self.frozen.id}),
            sa.Column("live_id", sa.Uuid(), info={OF: self.frozen.id}),
            sa.Column("position", sa.Integer()),
            sa.Column("outcome", sa.Text()),
            *columns,
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DROP",
            info={OF: self.name},
        )


def stage_name(kind: str, table: str) -> str:
    """The name of a staging table; of long ones, which PostgreSQL would cut, no two are the same."""
    name = f"seed_{kind}_{table}"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = sha256(table.encode()).hexdigest()[:8]
    return name.encode()[: _LONGEST_NAME - 9].decode(errors="ignore") + f"_{digest}"


_LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""

UUID, INTEGER = ColumnType("uuid"), ColumnType("integer")

_PREFIXES = {
    "insert": ("n_",),
    "update": ("o_", "n_", "r_"),
    "delete": ("o_",),
    "revival": ("n_",),
    "load": ("",),
}
"""The columns of rows of a kind, for each column of the live table."""


class Loader(Protocol):
    """What takes rows: a connection or a script."""

    def load(
        self, table: sa.Table, columns: Sequence[tuple[str, ColumnType]], rows: list[Sequence[Any]]
    ) -> None:
        """Add rows, in canonical form with JSON as text, to a staging table or a live one."""


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
    return StagedTable(frozen, columns, _live_table(frozen, columns, live_columns or {}))


def _live_table(
    frozen: FrozenTable, columns: Iterable[str], live_columns: Mapping[str, TypeEngine[Any]]
) -> sa.Table:
    typed = {name: frozen.columns[name].type.sqlalchemy() for name in columns}
    unseeded = {name: default.type.sqlalchemy() for name, default in frozen.defaults.items()}
    others = {n: type_ for n, type_ in {**unseeded, **live_columns}.items() if n not in {*typed, frozen.id}}
    return sa.Table(
        frozen.name,
        sa.MetaData(),
        sa.Column(frozen.id, sa.Uuid()),
        *(sa.Column(name, type_) for name, type_ in typed.items()),
        *(sa.Column(name, type_) for name, type_ in others.items()),
    )


def load_changes(
    changes: Iterable[Lone | Change],
    tables: Mapping[str, StagedTable],
    positions: Mapping[str, int],
    loader: Loader,
    *,
    revivals: bool = False,
) -> None:
    """Send changes to their staging tables, or to live ones, in batches, and count them.

    `revivals` are whole rows for updates, given as inserts.
    """
    for name, rows in groupby(changes, key=attrgetter("table")):
        staged = tables.get(name)
        if staged is None:
            continue
        batches: dict[str, _Batch] = {}
        for entry in rows:
            kind = "revival" if revivals else _kind(entry, staged)
            if not kind:
                continue
            if kind not in batches:
                batches[kind] = _Batch(staged, kind, positions)
            batch = batches[kind]
            if isinstance(entry, Lone):
                batch.add_lone(entry)
            else:
                batch.add(entry)
            if len(batch.rows) >= (BATCH if len(batches) == 1 else MIXED_BATCH):
                batch.flush(loader)
        # Before the next table's rows, which may point at these.
        for batch in batches.values():
            batch.flush(loader)


def _kind(change: Lone | Change, staged: StagedTable) -> str:
    """Where changed rows go, or nowhere."""
    effect = change.effect or ""
    if effect != "insert" or staged.links is None:
        return effect
    # A row that was released since is in no seed state: what it points at may be gone.
    released = isinstance(change, Change) and change.released
    return "insert" if released else "load"


class _Batch:
    """Rows on their way to one table, in canonical form, JSON as text."""

    def __init__(self, staged: StagedTable, kind: str, positions: Mapping[str, int]) -> None:
        self.staged, self.kind, self.positions = staged, kind, positions
        self.rows: list[Sequence[Any]] = []
        self.names = list(staged.columns)
        types = [staged.frozen.columns[name].type for name in self.names]
        self.json = [index for index, type_ in enumerate(types) if type_.kind == "json"]
        live = kind == "load"
        ids = [staged.frozen.id] if live else ["seed_id", "live_id"]
        self.columns = [
            *((name, UUID) for name in ids),
            *(() if live else [("position", INTEGER)]),
            *(
                (prefix + name, INTEGER if prefix == "r_" else type_)
                for name, type_ in zip(self.names, types, strict=True)
                for prefix in _PREFIXES[kind]
            ),
        ]
        self.links = [
            (self.names.index(name), staged.frozen.foreign_keys[name].table, ids)
            for name, ids in (staged.links or {}).items()
            if name in self.names
        ]
        self.decode = _row_decoder(self.names, set(self.json))

    def add_lone(self, lone: Lone) -> None:
        """Rows as they stand in their file."""
        decode = self.decode
        try:
            values: list[Sequence[Any]] = [astuple(decode(row)) for _, row in lone.rows]
        except UNREADABLE:
            raise ChangeFileError(
                lone.revision,
                f"{lone.table} {self._broken(lone)} is not a row of its table",
                RESTORE,
            ) from None
        if self.json:
            values = [self._with_json_text(row) for row in values]
        self._add(lone.revision, [id_ for id_, _ in lone.rows], values)

    def _broken(self, lone: Lone) -> str:
        """The seed id of the first row that is none."""
        for id_, row in lone.rows:
            try:
                self.decode(row)
            except UNREADABLE:
                return id_
        return ""

    def _with_json_text(self, values: Sequence[Any]) -> list[Any]:
        row = list(values)
        for index in self.json:
            # A change file is canonical, and so is each part of it.
            row[index] = bytes(row[index]).decode() if row[index] else None
        return row

    def _add(self, revision: str, ids: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        if self.kind == "load":
            if self.links:
                values = [self._linked(row) for row in values]
            self.rows += [(id_, *row) for id_, row in zip(ids, values, strict=True)]
        else:
            position, known = self.positions[revision], self.kind == "delete"
            self.rows += [
                (id_, id_ if known else None, position, *row) for id_, row in zip(ids, values, strict=True)
            ]

    def _linked(self, values: Sequence[Any]) -> Sequence[Any]:
        """The values without optional links to rows that are not there."""
        row = list(values)
        for index, table, ids in self.links:
            if row[index] is not None and row[index] not in ids:
                row[index] = None
                self.staged.unlinked[table] += 1
        return row

    def add(self, change: Change) -> None:
        """A change of which more is known than a line says."""
        self.staged.released |= change.released
        if self.kind == "update":
            self.rows.append(self._partial(change))
            self.staged.updated.update(set(change.revisions) & set(self.names))
            return
        row = (change.old if self.kind == "delete" else change.new) or {}
        self._add(change.revision, [change.id], [self._values(row)])

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        values = [row.get(name) for name in self.names]
        for index in self.json:
            if values[index] is not None:
                values[index] = canonical_json(values[index])
        return values

    def _partial(self, change: Change) -> Sequence[Any]:
        positions = {name: self.positions[revision] for name, revision in change.revisions.items()}
        columns = zip(self._values(change.old or {}), self._values(change.new or {}), self.names, strict=True)
        triples = (part for old, new, name in columns for part in (old, new, positions.get(name)))
        return (change.id, change.id, max(positions.values()), *triples)

    def flush(self, loader: Loader) -> None:
        """Send what has gathered."""
        if not self.rows:
            return
        loader.load(self.staged.by_kind(self.kind), self.columns, self.rows)
        if self.kind == "load":
            self.staged.loaded += len(self.rows)
        elif self.kind in self.staged.counts:
            self.staged.counts[self.kind] += len(self.rows)
        self.rows = []


def _row_decoder(names: Sequence[str], json: set[int]) -> Callable[[Raw], Any]:
    """From a row's text to a struct with a field for each column; NULL where the text has none."""
    fields = [
        (f"c{index}", Raw, Raw()) if index in json else (f"c{index}", str | int | float | bool | None, None)
        for index in range(len(names))
    ]
    renamed = {f"c{index}": name for index, name in enumerate(names)}
    struct = defstruct("Row", fields, rename=renamed, gc=False)
    decode: Callable[[Raw], Any] = Decoder(struct).decode
    return decode
