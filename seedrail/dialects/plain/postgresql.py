"""PostgreSQL's rows as lines of a change file: the server writes them, while the client reads the file."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Raw, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from seedrail.dialects.plain.sides import Asked, Row, Side, statement
from seedrail.schema.identity import canonical_object

ROWS = 500
"""How many rows come at a time."""
ARGUMENTS = 90
"""How many a function of the server takes, and some to spare."""


class PostgreSQLSide(Side):
    """A table as the canonical JSON of its rows, with a column to itself for each that holds JSON.

    The server orders and spaces documents in its own way; in the row's text there is a 0 for them.
    """

    seed_ids = "______________5%"

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._json = [name for name, type_ in asked.kinds.items() if type_.kind == "json"]
        fields = [(f"c{index}", Raw, Raw()) for index, _ in enumerate(self._json)]
        renamed = {f"c{index}": name for index, name in enumerate(self._json)}
        self._documents = Decoder(defstruct("Documents", fields, rename=renamed, gc=False)).decode
        self._keys = [_key(name) for name in self._json]
        self._forms = [_in_jsonb if isinstance(asked.types[name], JSONB) else str for name in self._json]
        self._rest = () if asked.holds is None else (True,)

    def stream(self, connection: Connection) -> Iterator[Row]:
        import psycopg

        query, values = statement(connection, self._query())
        if psycopg.capabilities.has_stream_chunked():
            cursor: Any = connection.connection.cursor()
            try:
                yield from cursor.stream(query, values, size=ROWS)
            finally:
                cursor.close()
            return
        driver: Any = connection.connection.driver_connection
        with driver.cursor("seed_side") as named:
            named.itersize = ROWS
            named.execute(query, values)
            yield from named

    def seeded(self, rows: Sequence[tuple[str, Raw]]) -> list[Row]:
        rest = self._rest
        if self._json:
            return [(id_, *self._apart(raw), *rest) for id_, raw in rows]
        # Of a Raw: half the time that a copy of its bytes takes first.
        return [(id_, str(raw, "utf-8"), *rest) for id_, raw in rows]

    def again(self, row: Row) -> Row:
        members = json.loads(row[1])
        kept = {name: value for name, value in members.items() if name in self.asked.columns}
        return (row[0], bytes(canonical_object(kept, nulls=False)).decode(), *row[2:])

    def _apart(self, raw: Raw) -> list[str | None]:
        """The row's text without its documents, and these."""
        text = str(raw, "utf-8")
        row: list[str | None] = [text]
        for key, form, one in zip(self._keys, self._forms, astuple(self._documents(raw)), strict=True):
            if one:
                document = str(one, "utf-8")
                text = text.replace(key + document, key + "0", 1)
                row.append(form(document))
            else:
                row.append(None)
        row[0] = text
        return row

    def _query(self) -> sa.Select[Any]:
        columns, kinds, types = self.asked.columns, self.asked.kinds, self.asked.types
        members = [
            sa.literal(_key(name), sa.Text()) + _written(columns[name], kinds[name].kind, types[name])
            for name in sorted(columns)
        ]
        text = sa.literal("{", sa.Text()) + _joined(members) + sa.literal("}", sa.Text())
        asked = [_text(self.asked.id), text, *(_text(columns[name]) for name in self._json)]
        rest = () if self.asked.holds is None else (self.asked.holds,)
        read: Sequence[ColumnElement[Any]] = [*asked, *rest]
        return sa.select(*read)


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False) + ":"


def _joined(members: Sequence[ColumnElement[str]]) -> ColumnElement[str]:
    """Without those that are NULL."""
    if len(members) <= ARGUMENTS:
        return sa.func.concat_ws(",", *members, type_=sa.Text())
    parts = [members[start : start + ARGUMENTS] for start in range(0, len(members), ARGUMENTS)]
    return _joined([sa.func.nullif(_joined(part), "", type_=sa.Text()) for part in parts])


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return sa.cast(column, sa.Text())


def _quoted(text: ColumnElement[str]) -> ColumnElement[str]:
    mark = sa.literal('"', sa.Text())
    return mark + text + mark


def _written(column: ColumnElement[Any], kind: str, live: TypeEngine[Any]) -> ColumnElement[str]:
    """A live value as a change file has it; of any type that is not the seed's own, its text as a text.

    No other type's text may stand in a line without its quotes: there it could pass for more than a value.
    """
    text = _text(column)
    match kind, live:
        case "uuid", sa.Uuid():
            return _quoted(text)
        case "date", sa.Date():
            return _quoted(text)
        case "integer", sa.Integer():
            return text
        case "boolean", sa.Boolean():
            return text
        case "float", sa.Float():
            # 5.0 is 5 to the server.
            return sa.case((text.regexp_match("[.e]"), text), else_=text + sa.literal(".0", sa.Text()))
        case "decimal", sa.Numeric(asdecimal=True):
            return _quoted(_text(sa.func.trim_scale(column)))
        case "timestamp", sa.DateTime(timezone=True):
            return _quoted(_in_utc(column))
        case "json", _:
            return sa.case((column.is_not(None), "0"))
    return _text(sa.func.to_json(text))


def _in_utc(column: ColumnElement[Any]) -> ColumnElement[str]:
    """`2015-01-01T00:00:00Z`, with six digits of a second where it has a fraction."""
    utc = sa.func.timezone("UTC", column)
    whole = sa.func.replace(_text(utc), " ", "T", type_=sa.Text())
    fine = sa.func.to_char(utc, 'YYYY-MM-DD"T"HH24:MI:SS.US', type_=sa.Text())
    return sa.case((sa.func.length(whole) == 19, whole), else_=fine) + sa.literal("Z", sa.Text())


@lru_cache(maxsize=4096)
def _in_jsonb(text: str) -> str:
    return _encode(_ordered(json.loads(text)))


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _ordered(value: Any) -> Any:
    """With its keys in the order of JSONB: by their bytes, shorter ones first."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _ordered(value[key]) for key in keys}
    return [_ordered(one) for one in value] if isinstance(value, list) else value
