"""SQLite's rows as they are stored: numbers and texts, which its driver reads without a look at types."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Raw, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple
from sqlalchemy.engine import Connection

from seedrail.dialects.plain.sides import Asked, Row, Side, statement


class SQLiteSide(Side):
    """A table as its driver reads it; what an affinity makes of a value is no other one, or not equal."""

    seed_ids = "____________5%"

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        kinds = [type_.kind for type_ in asked.kinds.values()]
        fields = [
            (f"c{index}", Raw, Raw())
            if kind == "json"
            else (f"c{index}", str | int | float | bool | None, None)
            for index, kind in enumerate(kinds)
        ]
        renamed = {f"c{index}": name for index, name in enumerate(asked.kinds)}
        self._decode = Decoder(defstruct("Row", fields, rename=renamed, gc=False)).decode
        self._forms = {0: _uuid} | {
            n: _FORMS[kind] for n, kind in enumerate(kinds, start=1) if kind in _FORMS
        }

    def stream(self, connection: Connection) -> Iterator[Row]:
        asked = [self.asked.id, *self.asked.columns.values()]
        if self.asked.holds is not None:
            asked.append(self.asked.holds)
        cursor: Any = connection.connection.cursor()
        try:
            cursor.execute(*statement(connection, sa.select(*asked)))
            yield from cursor
        finally:
            cursor.close()

    def seeded(self, rows: Sequence[tuple[str, Raw]]) -> list[Row]:
        decode = self._decode
        ids, columns = [id_ for id_, _ in rows], zip(*(astuple(decode(raw)) for _, raw in rows), strict=True)
        values: list[Sequence[Any]] = [ids, *columns]
        for index, form in self._forms.items():
            values[index] = [None if value is None else form(value) for value in values[index]]
        if self.asked.holds is not None:
            values.append([1] * len(rows))
        return list(zip(*values, strict=True))


def _uuid(text: str) -> str:
    return text.replace("-", "")


def _timestamp(text: str) -> str:
    fraction = ".000000" if len(text) == 20 else text[19:26]
    return f"{text[:10]} {text[11:19]}{fraction}"


def _json(raw: Raw) -> str | None:
    return bytes(raw).decode() if raw else None


_FORMS: dict[str, Callable[[Any], Any]] = {
    "uuid": _uuid,
    "timestamp": _timestamp,
    "decimal": float,
    "json": _json,
}
"""From canonical values to those in the database, as a bulk load has them."""
