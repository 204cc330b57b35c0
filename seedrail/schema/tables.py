"""Seed tables: what a feature declares, and the frozen form that change files carry.

A frozen table needs no model: an old revision runs against the columns, types and keys of its day.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from seedrail.errors import SetupError
from seedrail.quoting import shown
from seedrail.schema.bindings import check_binding
from seedrail.schema.defaults import ServerDefault, server_default
from seedrail.schema.types import ColumnType
from seedrail.schema.uniques import Unique, uniques_of


@dataclass(frozen=True)
class SeedTable:
    """A feature's declaration: the table, its natural key, and what seeds leave alone.

    `key` must be covered by a unique constraint of columns that are NOT NULL. `volatile` columns are neither
    seeded nor compared; nor are those that the database alone writes. `missing_as_null` are foreign keys to
    rows that may be absent (a user): such a link becomes NULL instead of a conflict.
    """

    table: sa.Table
    key: tuple[str, ...]
    volatile: tuple[str, ...] = ("created_at", "updated_at")
    missing_as_null: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any, key: tuple[str, ...], **options: tuple[str, ...]) -> "SeedTable":
        """The declaration of a mapped class's table; `options` as in the constructor."""
        # What is no mapped class is said where the catalog is made, which knows whose it is.
        return cls(getattr(model, "__table__", model), key, **options)


@dataclass(frozen=True)
class FrozenColumn:
    """A seeded column; `default` is the server default that today's model gives it."""

    type: ColumnType
    nullable: bool
    default: ServerDefault | None = field(default=None, compare=False)


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
    `identity` is the pointing table's primary key, `part` the schema and name of a table that inherits from
    the seed table, where the key names that, `readable` and `lockable` what this role may do with the table.
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
    """The table's name."""
    set: str
    """The seed set that it belongs to."""
    id: str
    """Its primary key's column, which holds the seed id."""
    key: tuple[str, ...]
    """The columns of its natural key."""
    columns: Mapping[str, FrozenColumn]
    """Each seeded column and its type, with a `?` where it may be NULL."""
    volatile: tuple[str, ...]
    """Columns that are neither seeded nor compared."""
    foreign_keys: Mapping[str, FrozenForeignKey]
    """Each column that is a link, and the table and column that it leads to, with a `?` where that row need
    not be there."""
    referenced_by: tuple[Reference, ...]
    """The foreign keys that point at the table: whose they are, by which columns, and to which."""
    defaults: Mapping[str, ServerDefault] = field(default_factory=dict)
    """Columns that no row names, so that the server's defaults stand, with these where they are literals."""
    uniques: tuple[Unique, ...] = ()
    """Its unique keys, where there are others than the natural key."""

    def without(self, names: Container[str]) -> "FrozenTable":
        """The table with some columns left to their server defaults."""
        left = {n: c.default for n, c in self.columns.items() if n in names and c.default is not None}
        return replace(
            self,
            columns={name: column for name, column in self.columns.items() if name not in left},
            foreign_keys={name: key for name, key in self.foreign_keys.items() if name not in left},
            defaults={**self.defaults, **left},
        )

    def lacking(self, names: Container[str]) -> "FrozenTable":
        """The table as if some columns were not seeded."""
        return replace(
            self,
            columns={name: column for name, column in self.columns.items() if name not in names},
            foreign_keys={name: key for name, key in self.foreign_keys.items() if name not in names},
        )

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
            **self._lately(),
        }

    def _lately(self) -> dict[str, Any]:
        """What headers have not always had; an older one knows of no default and of its key alone."""
        found: dict[str, Any] = {}
        if self.defaults:
            found["defaults"] = {name: default.to_json() for name, default in self.defaults.items()}
        if self.uniques not in ((), (Unique(self.key),)):
            found["uniques"] = [unique.to_json() for unique in self.uniques]
        return found

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
            defaults={
                name: ServerDefault.from_json(default) for name, default in entry.get("defaults", {}).items()
            },
            uniques=tuple(map(Unique.from_json, entry.get("uniques", [{"columns": entry["key"]}]))),
        )


def freeze(declared: SeedTable, seed_set: str) -> FrozenTable:
    """The frozen form of a declaration; SetupError where the table cannot be seeded safely."""
    table = declared.table
    check_schema(table, table.name)
    identity = identity_of(table)
    columns = {
        column.name: frozen_column(column, f"{table.name}.{column.name}")
        for column in table.columns
        if column.name != identity and column.name not in declared.volatile and not is_generated(column)
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
        uniques=uniques_of(table),
    )


def is_generated(column: sa.Column[Any]) -> bool:
    """Whether the database alone writes a column."""
    return column.computed is not None or column.identity is not None


def frozen_column(column: sa.Column[Any], where: str) -> FrozenColumn:
    """A column's frozen form; SetupError, at `where`, for one that seeds cannot hold."""
    if not column.name.isprintable() or {'"', "\\"} & set(column.name):
        # What a row is read into takes no such names.
        raise SetupError(
            f"{shown(where)}: a seeded column cannot have a quotation mark, a backslash or a control"
            " character in its name\n  declare it volatile, or give it another name"
        )
    type_ = ColumnType.freeze(column.type, where)
    check_binding(column.type, type_, where)
    return FrozenColumn(type_, bool(column.nullable), server_default(column, type_))


def check_schema(table: sa.Table, what: str) -> None:
    """Raise SetupError, of `what`, where a model names its table's schema."""
    if table.schema is not None:
        raise SetupError(
            f"{what}: the model puts the table {table.name} into the schema {table.schema!r}, and seeds are"
            " written to the schema that the database finds first\n"
            "  leave the schema out of the model, and let the database's search path name it"
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


def identity_of(table: sa.Table) -> str:
    """The column that holds the seed id; SetupError where the primary key is something else."""
    keys = list(table.primary_key.columns)
    if len(keys) != 1 or not isinstance(keys[0].type, sa.Uuid):
        raise SetupError(f"{table.name}: a seed table needs a primary key of one UUID column")
    frozen_column(keys[0], f"{table.name}.{keys[0].name}")
    return keys[0].name


def _check_key(declared: SeedTable, columns: Mapping[str, FrozenColumn]) -> None:
    table, key = declared.table, declared.key
    unknown = [name for name in (*key, *declared.missing_as_null) if name not in columns]
    if unknown:
        raise SetupError(f"{table.name}: no such seeded column: {', '.join(unknown)}")
    if any(columns[name].nullable for name in key):
        raise SetupError(f"{table.name}: every column of the natural key must be NOT NULL")
    if set(key) not in [set(unique.columns) for unique in uniques_of(table) if unique.exact]:
        raise SetupError(f"{table.name}: no unique constraint covers the natural key ({', '.join(key)})")


def _foreign_keys(declared: SeedTable, columns: Mapping[str, FrozenColumn]) -> dict[str, FrozenForeignKey]:
    keys = {}
    for constraint in declared.table.foreign_key_constraints:
        names = [column.name for column in constraint.columns]
        if not set(names) & set(columns):
            continue
        keys[names[0]] = link_of(constraint, optional=names[0] in declared.missing_as_null)
    return dict(sorted(keys.items()))


def link_of(constraint: sa.ForeignKeyConstraint, *, optional: bool = False) -> FrozenForeignKey:
    """A foreign key's frozen form; SetupError for one that does not hold the seed id of one row."""
    names, target = [column.name for column in constraint.columns], constraint.referred_table
    where = f"{constraint.table.name}.{','.join(names)}"
    check_schema(target, where)
    if len(names) != 1 or constraint.elements[0].column.name != identity_of(target):
        raise SetupError(f"{where}: a seeded foreign key must hold the id of one row")
    return FrozenForeignKey(target.name, identity_of(target), optional)


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


def optional_columns(table: FrozenTable) -> list[str]:
    """The columns of a table that may be left to the database: they have a default, and are not its key."""
    return [name for name, column in table.columns.items() if column.default and name not in table.key]
