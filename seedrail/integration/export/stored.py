"""What a database gives of a stored value, in the seed's canonical form."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from seedrail.dialects import SeedDialect
from seedrail.quoting import quoted
from seedrail.schema.types import ColumnType


def canonical_of(type_: ColumnType, raw: Any) -> Any:
    """A value of the dialect's `raw` in its canonical form; ValueError where the type has none for it."""
    if raw is None:
        return None
    try:
        return type_.canonical(_READ[type_.kind](raw))
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        reason = str(error) if isinstance(error, ValueError) else "cannot be read"
        raise ValueError(f"holds {quoted(str(raw))}, which as {type_} {_said(reason)}") from None


def refuse_other_form(dialect: SeedDialect, type_: ColumnType, raw: Any, value: Any) -> None:
    """Raise ValueError where a seed would store a value in another form, and so take this one for an edit."""
    form = None if value is None else dialect.stores(type_, value)
    if form is not None and form != raw:
        raise ValueError(
            f"it is stored as {quoted(str(raw))}, and a seed would store it as {quoted(str(form))}:"
            " an upgrade would find another value there"
        )


def _said(reason: str) -> str:
    first = reason.split(":")[0]
    return first if first.startswith(("is ", "has ", "does ", "holds ", "lies ")) else "cannot be read"


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError("is no text")
    return raw


def _integer(raw: Any) -> int:
    if isinstance(raw, float):
        raise ValueError("is not an integer")
    return int(raw)


def _boolean(raw: Any) -> bool:
    found = {"true": True, "false": False, "1": True, "0": False}.get(str(raw))
    if found is None:
        raise ValueError("is not a boolean")
    return found


def _timestamp(raw: Any) -> datetime:
    moment = datetime.fromisoformat(_text(raw))
    # SQLite keeps them in UTC, and does not say so.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _json(raw: Any) -> Any:
    return json.loads(_text(raw))


_READ: dict[str, Callable[[Any], Any]] = {
    "uuid": lambda raw: UUID(_text(raw)),
    "string": _text,
    "text": _text,
    "integer": _integer,
    "boolean": _boolean,
    "float": float,
    "decimal": lambda raw: Decimal(str(raw)),
    "timestamp": _timestamp,
    "date": lambda raw: date.fromisoformat(_text(raw)),
    "json": _json,
}
