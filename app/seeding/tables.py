"""Seed tables: what a feature declares, and the frozen form that change files carry.

A frozen table needs no model: an old revision runs against the columns, types and keys of its day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.seeding.errors import SetupError
from app.seeding.types import ColumnType


@dataclass(frozen=True)
class SeedTable:
    """A feature's declaration: the table, its natural key, and what seeds leave alone.

    `key` must be covered by a unique constraint of columns that are NOT NULL. `volatile` columns are
    neither seeded nor compared. `missing_as_null` are foreign keys to rows that may be absent (a user):
    such a link becomes NULL instead of a conflict.
    """

    table: sa.Table
    key: tuple[str, ...]
    volatile: tuple[str, ...] = ("created_at", "updated_at")
    missing_as_null: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any, key: tuple[str, ...], **options: tuple[str, ...]) -> "SeedTable":
        """The declaration of a mapped class's table; `options` as in the constructor."""
        return cls(model.__table__, key, **options)


@dataclass(frozen=True)
class FrozenColumn:
    """A seeded column."""

    type: ColumnType
    nullable: bool


@dataclass(frozen=True)
class FrozenForeignKey:
    """A seeded column that holds another table's id; `optional` links become NULL when it is absent."""

    table: str
    column: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" + ("?" if self.optional else "")

    @classmethod
    def parse(cls, text: str) -> "FrozenForeignKey":
        """The key that `str()` wrote; ValueError for anything else."""
        table, column = text.removesuffix("?").split(".")
        return cls(table, column, text.endswith("?"))


@dataclass(frozen=True)
class Reference:
    """A foreign key of any table that points at a seed table, column by column.

    `schema` is None where the table's name alone finds it. The rest is what the live database said:
    `identity` is the pointing table's primary key, `part` the schema and name of the partition, partitioned
    root or inheriting table that the key names in place of the seed table itself, `readable` and `lockable`
    what this role may do with the pointing table.
    """

    table: str
    columns: tuple[str, ...]
    target: tuple[str, ...]
    schema: str | None = None
    identity: tuple[str, ...] = ()
    part: tuple[str, str] | None = None
    readable: bool = True
    lockable: bool = True

    def __str__(self) -> str:
        return ".".join(filter(None, [self.schema, self.table, ",".join(self.columns)]))


@dataclass(frozen=True)
class FrozenTable:
    """A seed table as it was when a revision was made."""

    name: str
    set: str
    id: str
    key: tuple[str, ...]
    columns: Mapping[str, FrozenColumn]
    volatile: tuple[str, ...]
    foreign_keys: Mapping[str, FrozenForeignKey]
    referenced_by: tuple[Reference, ...]

    def to_json(self) -> dict[str, Any]:
        """The table's entry in a change file's header."""
        return {
            "name": self.name,
            "set": self.set,
            "id": self.id,
            "key": list(self.key),
            "columns": {
                name: str(column.type) + ("?" if column.nullable else "")
                for name, column in self.columns.items()
            },
            "volatile": list(self.volatile),
            "foreign_keys": {name: str(key) for name, key in self.foreign_keys.items()},
            "referenced_by": [
                {"table": ref.table, "columns": list(ref.columns), "target": list(ref.target)}
                for ref in self.referenced_by
            ],
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "FrozenTable":
        """The table of a header's entry; KeyError, TypeError or ValueError where it is malformed."""
        return cls(
            name=entry["name"],
            set=entry["set"],
            id=entry["id"],
            key=tuple(entry["key"]),
            columns={
                name: FrozenColumn(ColumnType.parse(text.removesuffix("?")), text.endswith("?"))
                for name, text in entry["columns"].items()
            },
            volatile=tuple(entry["volatile"]),
            foreign_keys={name: FrozenForeignKey.parse(text) for name, text in entry["foreign_keys"].items()},
            referenced_by=tuple(
                Reference(ref["table"], tuple(ref["columns"]), tuple(ref["target"]))
                for ref in entry["referenced_by"]
            ),
        )


def freeze(declared: SeedTable, seed_set: str) -> FrozenTable:
    """The frozen form of a declaration; SetupError where the table cannot be seeded safely."""
    table = declared.table
    identity = _identity(table)
    columns = {
        column.name: FrozenColumn(
            ColumnType.freeze(column.type, f"{table.name}.{column.name}"), bool(column.nullable)
        )
        for column in table.columns
        if column.name != identity and column.name not in declared.volatile
    }
    _check_key(declared, columns)
    return FrozenTable(
        name=table.name,
        set=seed_set,
        id=identity,
        key=declared.key,
        columns=columns,
        volatile=tuple(name for name in declared.volatile if name in table.columns),
        foreign_keys=_foreign_keys(declared, columns),
        referenced_by=_references(table),
    )


def in_foreign_key_order(tables: Iterable[FrozenTable]) -> list[FrozenTable]:
    """Parents before children, names deciding where the keys do not; SetupError for a cycle."""
    waiting = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    ordered: list[FrozenTable] = []
    while waiting:
        ready = [
            table
            for table in waiting.values()
            if all(key.table == table.name or key.table not in waiting for key in table.foreign_keys.values())
        ]
        if not ready:
            raise SetupError(f"seed tables point at each other in a circle: {', '.join(waiting)}")
        for table in ready:
            ordered.append(waiting.pop(table.name))
    return ordered


def _identity(table: sa.Table) -> str:
    keys = list(table.primary_key.columns)
    if len(keys) != 1 or not isinstance(keys[0].type, sa.Uuid):
        raise SetupError(f"{table.name}: a seed table needs a primary key of one UUID column")
    return keys[0].name


def _check_key(declared: SeedTable, columns: Mapping[str, FrozenColumn]) -> None:
    table, key = declared.table, declared.key
    unknown = [name for name in (*key, *declared.missing_as_null) if name not in columns]
    if unknown:
        raise SetupError(f"{table.name}: no such seeded column: {', '.join(unknown)}")
    if any(columns[name].nullable for name in key):
        raise SetupError(f"{table.name}: every column of the natural key must be NOT NULL")
    uniques = [
        {column.name for column in constraint.columns}
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    uniques += [{c.name for c in index.columns} for index in table.indexes if _unique(index)]
    if set(key) not in uniques:
        raise SetupError(f"{table.name}: no unique constraint covers the natural key ({', '.join(key)})")


def _unique(index: sa.Index) -> bool:
    """Whether an index keeps its columns unique: in every row, and not just an expression of them."""
    partial = any(
        name.endswith("_where") and value is not None for name, value in index.dialect_kwargs.items()
    )
    return index.unique and not partial and all(isinstance(one, sa.Column) for one in index.expressions)


def _foreign_keys(declared: SeedTable, columns: Mapping[str, FrozenColumn]) -> dict[str, FrozenForeignKey]:
    keys = {}
    for constraint in declared.table.foreign_key_constraints:
        names = [column.name for column in constraint.columns]
        if not set(names) & set(columns):
            continue
        target = constraint.referred_table
        if len(names) != 1 or constraint.elements[0].column.name != _identity(target):
            raise SetupError(
                f"{declared.table.name}.{','.join(names)}: a seeded foreign key must hold the id of one row"
            )
        keys[names[0]] = FrozenForeignKey(
            target.name, _identity(target), names[0] in declared.missing_as_null
        )
    return dict(sorted(keys.items()))


def _references(table: sa.Table) -> tuple[Reference, ...]:
    found = [
        Reference(
            other.name,
            tuple(column.name for column in constraint.columns),
            tuple(element.column.name for element in constraint.elements),
        )
        for other in table.metadata.tables.values()
        for constraint in other.foreign_key_constraints
        if constraint.referred_table is table
    ]
    return tuple(sorted(found, key=lambda ref: (ref.table, ref.columns)))


def row_key(table: FrozenTable, row: Mapping[str, Any]) -> Sequence[Any]:
    """The natural key's values of a canonical row."""
    return [row[name] for name in table.key]
