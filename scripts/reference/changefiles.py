"""What stands in a change file: its header and lines by their classes, and each type by a value of it."""

import json
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from scripts.reference import told
from scripts.reference.told import code, docs_of
from seedrail.history.changefile import FORMAT, SQUASHED, Header
from seedrail.history.lines import Line
from seedrail.history.squash.replaced import Replaced
from seedrail.schema.tables import FrozenTable
from seedrail.schema.types import ColumnType

SAMPLES: dict[str, tuple[sa.types.TypeEngine[Any], Any]] = {
    "Uuid": (sa.Uuid(), UUID(int=1)),
    "String(n)": (sa.String(200), "a text"),
    "Enum(native_enum=False)": (sa.Enum("running", native_enum=False, length=32), "running"),
    "Text, String": (sa.Text(), "a text"),
    "Integer, BigInteger, SmallInteger": (sa.BigInteger(), 1850),
    "Boolean": (sa.Boolean(), True),
    "Float": (sa.Float(), 0.5),
    "Numeric(p, s)": (sa.Numeric(9, 2), Decimal("12.50")),
    "DateTime(timezone=True)": (sa.DateTime(timezone=True), datetime(2015, 1, 1, tzinfo=UTC)),
    "Date": (sa.Date(), date(2015, 1, 1)),
    "JSON, JSONB": (sa.JSON(), {"members": 3}),
}
"""A type of a model, and a value that a seed may give it."""


def header() -> str:
    """The members of a header."""
    members = json.loads(Header("", "", "", {}, replaces=(Replaced("", "", "", ()),)).to_line())
    return told.table(("member", "means"), ((code(name), _HEADER[name]) for name in members))


_HEADER = {
    "format": f"{FORMAT} in files that are written today, {SQUASHED} in those of squashed revisions",
    "parent": "the `revision` that this one follows on the seed rail, and the `sha256` of its change file",
    "replaces": "of a squashed revision: those that it stands for, each with its `revision`, its change file"
    " (`changes`, `sha256`) and what its own file said (`down_revision`, `message`)",
    "revision": "the seed revision that the file belongs to",
    "tables": "the seed tables as they were that day, parents first",
}


def tables() -> str:
    """The members of a table in a header."""
    docs = docs_of(FrozenTable)
    return told.table(("member", "means"), ((code(one.name), docs[one.name]) for one in fields(FrozenTable)))


def lines() -> str:
    """The members of a line."""
    docs = docs_of(Line)
    names = zip(Line.__struct_encode_fields__, Line.__struct_fields__, strict=True)
    return told.table(("member", "means"), ((code(written), docs[name]) for written, name in names))


def types() -> str:
    """Each type as a model, a header and a line have it."""
    rows = (_type(spelled, type_, value) for spelled, (type_, value) in SAMPLES.items())
    return told.table(("type of the model", "in a header", "a value in a line"), rows)


def _type(spelled: str, type_: sa.types.TypeEngine[Any], value: Any) -> tuple[str, str, str]:
    frozen = ColumnType.freeze(type_, spelled)
    return code(spelled), code(frozen), code(json.dumps(frozen.canonical(value)))
