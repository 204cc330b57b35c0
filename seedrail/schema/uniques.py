"""Unique keys: the constraints and indexes that rows may collide in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True)
class Unique:
    """A unique constraint or index; not `exact` where it keeps only some rows, or expressions, apart."""

    columns: tuple[str, ...]
    exact: bool = True
    nulls_distinct: bool = True

    def to_json(self) -> dict[str, Any]:
        """Its entry in a change file's header: what differs from the usual is told."""
        told = {name: False for name in ("exact", "nulls_distinct") if not getattr(self, name)}
        return {"columns": list(self.columns), **told}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Unique":
        """The constraint of an entry; KeyError or TypeError where it is malformed."""
        return cls(**{**entry, "columns": tuple(entry["columns"])})


def uniques_of(table: sa.Table) -> tuple[Unique, ...]:
    """Those of a model's table, in an order of their own."""
    found = {
        Unique(tuple(constraint.columns.keys()), nulls_distinct=not _nulls_collide(constraint))
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    }
    found |= {
        Unique(tuple(dict.fromkeys(index.columns.keys())), _is_whole(index), not _nulls_collide(index))
        for index in table.indexes
        if index.unique
    }
    return tuple(sorted(found, key=lambda unique: (unique.columns, unique.exact)))


def _nulls_collide(one: sa.UniqueConstraint | sa.Index) -> bool:
    return bool(one.dialect_kwargs.get("postgresql_nulls_not_distinct"))


def _is_whole(index: sa.Index) -> bool:
    """Whether a unique index holds for every row, and for its columns and not just an expression of them."""
    partial = any(
        name.endswith("_where") and value is not None for name, value in index.dialect_kwargs.items()
    )
    return not partial and all(isinstance(one, sa.Column) for one in index.expressions)
