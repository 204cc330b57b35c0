"""The two sides of a table: its live rows as a stream, and seeded ones in the same form."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from msgspec import Raw
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from seedrail.schema.types import ColumnType

Row = tuple[Any, ...]
"""A row in plain form; its primary key comes first."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a table: its primary key, its seeded columns, and a condition, if there is one.

    `types` are those of the live columns.
    """

    id: ColumnElement[Any]
    columns: Mapping[str, ColumnElement[Any]]
    kinds: Mapping[str, ColumnType]
    types: Mapping[str, TypeEngine[Any]]
    holds: ColumnElement[bool] | None


class Side(ABC):
    """One table on one database."""

    seed_ids: str
    """What ids look like as text that a seed gives, to LIKE: they are UUIDs of version 5."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    @abstractmethod
    def stream(self, connection: Connection) -> Iterator[Row]:
        """The live rows, as they lie; the connection is the stream's own until the last is read."""

    @abstractmethod
    def seeded(self, rows: Sequence[tuple[str, Raw]]) -> list[Row]:
        """Rows of change files, each with its seed id, as they would be read if they were live."""

    def again(self, row: Row) -> Row:
        """The same of one row with more care: its line may have columns that are gone."""
        return row


def statement(connection: Connection, query: sa.Select[Any]) -> tuple[str, Any]:
    """A query as a driver takes it, with its parameters."""
    compiled = query.compile(dialect=connection.dialect)
    in_turn = getattr(compiled, "positiontup", None)
    return str(compiled), compiled.params if in_turn is None else [compiled.params[one] for one in in_turn]
