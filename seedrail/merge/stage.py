"""Staging: the net changes of a move in temporary tables.

One table of them for each seed table. Staged rows have the live table's columns under prefixes: `o_` the
value before the move, `n_` that after it, `r_` the position of the first seed revision of the move that
changes the column (NULL where an update leaves it alone, or where nothing is written to a touched row), `g_`
that of the last, for links (NULL: that of the row). `position` is the first at which the row comes or
changes. `action` is what happens to the live row.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
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


INSERT, UPDATE, DELETE = "insert", "update", "delete"
"""What happens to a staged row's live one; nothing where its `action` is NULL."""


@dataclass(frozen=True)
class Decided:
    """What was decided of a table's touched rows: what happens to some of them, and the columns it sets."""

    actions: frozenset[str]
    columns: frozenset[str]


@dataclass
class StagedTable:
    """A seed table in a move: its live columns, and its staging table with its row counts."""

    frozen: FrozenTable
    columns: tuple[str, ...]
    live: sa.Table
    unseeded: Mapping[str, str]
    """The other live columns, with their constant defaults as SQL."""
    upgrade: bool
    """Whether the move goes up."""
    links: Mapping[str, frozenset[str]] | None = None
    """Set for a table whose rows are loaded as they are: the ids that its optional links may hold."""
    loaded: int = 0
    """How many rows were."""
    unlinked: list[tuple[str, str, str]] = field(default_factory=list)
    """Their optional links that led nowhere: seed id, column, and the revision that set them."""
    released: bool = False
    """Whether some of its staged rows are released on the way."""
    counts: dict[str, int] = field(default_factory=lambda: {INSERT: 0, UPDATE: 0, DELETE: 0})
    updated: set[str] = field(default_factory=set)
    """The columns that some update of this move changes."""
    touched: bool = False
    """Whether some staged rows are not as the seed expects; a script has to assume so."""
    decided: Decided | None = None
    """Set once that is known of touched rows; a script never knows it, and has to assume anything."""
    emptied: bool = False
    """Whether all of its live rows go."""

    def may(self, action: str) -> bool:
        """Whether the program must look at staged rows with an action."""
        # What is decided of a touched row may have another action than it was staged with.
        touched = self.touched and (self.decided is None or action in self.decided.actions)
        return self.counts[action] > 0 or touched

    @property
    def writable(self) -> list[str]:
        """The columns that some update may set."""
        if self.touched and self.decided is None:
            return list(self.columns)
        return sorted(self.updated | (self.decided.columns if self.decided else frozenset()))

    @property
    def name(self) -> str:
        """The live table's name."""
        return self.frozen.name

    @property
    def live_id(self) -> ColumnElement[Any]:
        """The live table's primary key."""
        return self.live.c[self.frozen.id]

    @cached_property
    def stage(self) -> sa.Table:
        """The staging table."""
        types = tuple((name, self.frozen.columns[name].type) for name in self.columns)
        return _stage(self.name, self.frozen.id, types, frozenset(self.frozen.foreign_keys), self.upgrade)

    def target_of(self, kind: str) -> sa.Table:
        """Where rows go: to the staging table, or those of a `load` into the live one."""
        return self.live if kind == "load" else self.stage


# SQLAlchemy compiles a statement once for the same tables, which are the same if they are the same object:
# a way down has a move for each revision.
@lru_cache(maxsize=256)
def _stage(
    table: str, id_: str, types: tuple[tuple[str, ColumnType], ...], links: Container[str], upgrade: bool
) -> sa.Table:
    # Most rows come, or go, and have values of that kind alone: these are found first in them.
    values = ("n_", "o_") if upgrade else ("o_", "n_")
    columns = [
        sa.Column(prefix + name, INTEGER.sqlalchemy())
        if prefix in "r_g_"
        else sa.Column(prefix + name, type_.sqlalchemy(), info={OF: name})
        for prefix in (*values, "r_", "g_")
        for name, type_ in types
        if prefix != "g_" or name in links
    ]
    return sa.Table(
        stage_name(table),
        sa.MetaData(),
        sa.Column("seed_id", sa.Uuid(), info={OF: id_}),
        sa.Column("live_id", sa.Uuid(), info={OF: id_}),
        sa.Column("position", sa.Integer()),
        sa.Column("action", sa.Text()),
        *columns,
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
        info={OF: table},
    )


def stage_name(table: str) -> str:
    """The name of a staging table; of long ones, which PostgreSQL would cut, no two are the same."""
    name = f"seed_stage_{table}"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = sha256(table.encode()).hexdigest()[:8]
    return name.encode()[: _LONGEST_NAME - 9].decode(errors="ignore") + f"_{digest}"


_LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""

UUID, INTEGER, TEXT = ColumnType("uuid"), ColumnType("integer"), ColumnType("text")
BOOLEAN = ColumnType("boolean")

COMPOSED = "composed"
"""The kind of inserts that several revisions made: their links may be younger than their rows."""

_PREFIXES = {
    INSERT: ("n_",),
    COMPOSED: ("n_", "g_"),
    UPDATE: ("o_", "n_", "r_", "g_"),
    DELETE: ("o_",),
    "load": ("",),
}
"""The columns of rows of a kind, for each column of the live table; of `g_` for each of its links."""


class Loader(Protocol):
    """What takes rows: a connection or a script."""

    def load(
        self, table: sa.Table, columns: Sequence[tuple[str, ColumnType]], rows: list[Sequence[Any]]
    ) -> None:
        """Add rows, in canonical form with JSON as text, to a staging table or a live one."""


def staged_table(
    frozen: FrozenTable,
    live_columns: Mapping[str, TypeEngine[Any]] | None,
    unseeded: Mapping[str, str],
    *,
    upgrade: bool,
) -> StagedTable:
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
    live = _live_table(frozen, columns, live_columns or {})
    return StagedTable(frozen, columns, live, unseeded, upgrade)


def _live_table(
    frozen: FrozenTable, columns: Iterable[str], live_columns: Mapping[str, TypeEngine[Any]]
) -> sa.Table:
    typed = tuple((name, frozen.columns[name].type) for name in columns)
    unseeded = {name: default.type.sqlalchemy() for name, default in frozen.defaults.items()}
    others = {**unseeded, **live_columns}
    for name in (frozen.id, *dict(typed)):
        others.pop(name, None)
    return _live(frozen.name, frozen.id, typed, tuple((n, _Type(repr(t), t)) for n, t in others.items()))


@dataclass(frozen=True)
class _Type:
    """A live column's type: `repr` tells it from others, as types themselves do not."""

    repr: str
    type: TypeEngine[Any] = field(compare=False)


@lru_cache(maxsize=256)
def _live(
    name: str,
    id_: str,
    typed: tuple[tuple[str, ColumnType], ...],
    others: tuple[tuple[str, _Type], ...],
) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column(id_, sa.Uuid()),
        *(sa.Column(column, type_.sqlalchemy()) for column, type_ in typed),
        *(sa.Column(column, known.type) for column, known in others),
    )


def load_changes(
    changes: Iterable[Lone | Change],
    tables: Mapping[str, StagedTable],
    positions: Mapping[str, int],
    loader: Loader,
    *,
    whole: bool = False,
) -> None:
    """Send changes to their staging tables, or to live ones, in batches, and count them.

    Of `whole` rows, those that end as they began are staged as well.
    """
    for name, rows in groupby(changes, key=attrgetter("table")):
        staged = tables.get(name)
        if staged is None:
            continue
        batches: dict[str, _Batch] = {}
        for entry in rows:
            kind = _kind(entry, staged) or (UPDATE if whole else "")
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
    if effect != INSERT or isinstance(change, Lone):
        return "load" if effect == INSERT and staged.links is not None else effect
    # A row that was released since is in no seed state: what it points at may be gone.
    return COMPOSED if staged.links is None or change.released else "load"


class _Batch:
    """Rows on their way to one table, in canonical form, JSON as text."""

    def __init__(self, staged: StagedTable, kind: str, positions: Mapping[str, int]) -> None:
        self.staged, self.kind, self.positions = staged, kind, positions
        self.rows: list[Sequence[Any]] = []
        self.names = list(staged.columns)
        types = [staged.frozen.columns[name].type for name in self.names]
        self.json = [index for index, type_ in enumerate(types) if type_.kind == "json"]
        self.keys = [name for name in self.names if name in staged.frozen.foreign_keys]
        own = [("seed_id", UUID), ("live_id", UUID), ("position", INTEGER), ("action", TEXT)]
        self.columns = [(staged.frozen.id, UUID)] if kind == "load" else own
        for prefix in _PREFIXES[kind]:
            names = self.keys if prefix == "g_" else self.names
            self.columns += [
                (prefix + name, INTEGER if prefix in ("r_", "g_") else staged.frozen.columns[name].type)
                for name in names
            ]
        self.links = [
            (self.names.index(name), name, ids)
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
        ids = [id_ for id_, _ in lone.rows]
        if self.kind == "load":
            if self.links:
                pairs = zip(ids, values, strict=True)
                values = [self._linked(id_, row, lambda _: lone.revision) for id_, row in pairs]
            self.rows += [(id_, *row) for id_, row in zip(ids, values, strict=True)]
            return
        position, known = self.positions[lone.revision], self.kind == DELETE
        self.rows += [
            (id_, id_ if known else None, position, self.kind, *row)
            for id_, row in zip(ids, values, strict=True)
        ]

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

    def _linked(self, id_: str, values: Sequence[Any], revision: Callable[[str], str]) -> Sequence[Any]:
        """The values without optional links to rows that are not there."""
        row = list(values)
        for index, name, ids in self.links:
            if row[index] is not None and row[index] not in ids:
                row[index] = None
                self.staged.unlinked.append((id_, name, revision(name)))
        return row

    def add(self, change: Change) -> None:
        """A change of which more is known than a line says."""
        self.staged.released |= change.released
        new, old = (self._values(row or {}) for row in (change.new, change.old))
        given = [self.positions.get(change.revisions.get(name, change.revision)) for name in self.keys]
        if self.kind == "load":
            linked = self._linked(change.id, new, lambda name: change.revisions.get(name, change.revision))
            self.rows.append((change.id, *linked))
        elif self.kind == UPDATE:
            first = {name: self.positions[revision] for name, revision in change.first.items()}
            self.staged.updated.update(first.keys() & set(self.names))
            position = min(first.values(), default=None)
            firsts = [first.get(name) for name in self.names]
            self.rows.append((change.id, change.id, position, UPDATE, *old, *new, *firsts, *given))
        else:
            known, action = (change.id, DELETE) if self.kind == DELETE else (None, INSERT)
            position = self.positions[change.first_revision or change.revision]
            values = old if self.kind == DELETE else (*new, *given)
            self.rows.append((change.id, known, position, action, *values))

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        values = [row.get(name) for name in self.names]
        for index in self.json:
            if values[index] is not None:
                values[index] = canonical_json(values[index])
        return values

    def flush(self, loader: Loader) -> None:
        """Send what has gathered."""
        if not self.rows:
            return
        loader.load(self.staged.target_of(self.kind), self.columns, self.rows)
        if self.kind == "load":
            self.staged.loaded += len(self.rows)
        else:
            self.staged.counts[INSERT if self.kind == COMPOSED else self.kind] += len(self.rows)
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
