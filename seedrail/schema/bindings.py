"""Whether a model's type stores values as they are: seeds are written past it, and must be read back right.

No type can be read through, so each is tried: what it makes of samples must be what the engine would store.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from seedrail.errors import SetupError
from seedrail.schema.types import ColumnType

Sample = tuple[Any, Any]
"""A value as the application gives it to its type, and as the engine would have it stored."""


def check_binding(type_: TypeEngine[Any], frozen: ColumnType, where: str) -> None:
    """Raise SetupError where the application's own statements would store something else than a seed does."""
    inner = _inner(type_)
    if isinstance(inner, sa.Enum):
        _check_enum(inner, where)
    for dialect in _dialects():
        own = type_.dialect_impl(dialect)
        if _in_sql(type_, dialect) or not all(
            _stored_as_is(own, frozen, sample, dialect) for sample in _samples(inner, frozen)
        ):
            raise SetupError(
                f"{where}: the type {_name(type_)} changes values on their way to the database, and a seed"
                " would store them unchanged\n"
                "  declare the column volatile and let the application fill it, or use a type that stores"
                " what it is given"
            )


def _inner(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """What decorators stand around: it says what the application gives them, and which values there are."""
    while isinstance(type_, sa.types.TypeDecorator):
        type_ = type_.impl_instance
    return type_


def _check_enum(type_: sa.Enum, where: str) -> None:
    members = type_.enum_class
    if members is None:
        return
    # What is stored of a member is looked up by the type itself: by name, unless it has values_callable.
    process: Any = cast(Any, type_).bind_processor(_dialects()[0]) or _unchanged
    for member in members.__members__.values():
        if process(member) != member.value:
            raise SetupError(
                f"{where}: the enum {members.__name__} is stored by name, as {process(member)!r}, and a seed"
                f" would store the value {member.value!r}, which the application cannot read\n"
                "  store it by value (values_callable=lambda members: [one.value for one in members]), or"
                " give each member its name as its value"
            )


def _dialects() -> tuple[Dialect, ...]:
    # Their base classes need no driver.
    from sqlalchemy.dialects.postgresql.base import PGDialect
    from sqlalchemy.dialects.sqlite.base import SQLiteDialect

    return SQLiteDialect(), cast(Any, PGDialect)()


def _in_sql(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """Whether the type wraps its values in SQL on the way in or out, as encryption in the database does."""
    own = type_.dialect_impl(dialect)
    bound: Any = sa.bindparam("probe", type_=type_)
    return any(
        one.bind_expression(bound) is not None or one.column_expression(sa.column("probe", type_)) is not None
        for one in (type_, own)
    )


def _stored_as_is(own: TypeEngine[Any], frozen: ColumnType, sample: Sample, dialect: Dialect) -> bool:
    plain = frozen.sqlalchemy().dialect_impl(dialect).bind_processor(dialect) or _unchanged
    # Twice: encryption does not give the same value again.
    given, meant = sample
    try:
        process = own.bind_processor(dialect) or _unchanged
        return all(_alike(process(given), plain(meant)) for _ in range(2))
    except Exception:  # foreign code, which may refuse a sample in any way
        return False


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, UUID) or isinstance(other, UUID):
        return str(one) == str(other)
    return bool(one == other)


def _unchanged(value: Any) -> Any:
    return value


def _name(type_: TypeEngine[Any]) -> str:
    return type(type_).__name__


def _samples(type_: TypeEngine[Any], frozen: ColumnType) -> Iterator[Sample]:
    if isinstance(type_, sa.Enum):
        members = type_.enum_class.__members__.values() if type_.enum_class else type_.enums
        yield from ((one, one.value if isinstance(one, Enum) else one) for one in members)
        return
    if frozen.kind != "json":
        # JSON has a null of its own, which is read back like NULL.
        yield None, None
    if frozen.kind == "uuid":
        as_text = isinstance(type_, sa.Uuid) and not type_.as_uuid
        yield from ((str(one) if as_text else one, one) for one in _UUIDS)
    elif frozen.kind in ("string", "text"):
        longest = frozen.length or len(max(_TEXTS, key=len))
        yield from ((one, one) for one in dict.fromkeys(text[:longest] for text in _TEXTS))
    elif frozen.kind == "integer":
        low, high = frozen.limits or (-(2**63), 2**63 - 1)
        yield from ((one, one) for one in (0, 1, -1, 42, 1000, low, high))
    elif frozen.kind == "decimal":
        step = Decimal(1).scaleb(-(frozen.scale or 0))
        yield from ((one, one) for one in (Decimal(0), Decimal(1) * step, Decimal(-7) * step))
    else:
        yield from ((one, one) for one in _OTHERS[frozen.kind])


_UUIDS = (UUID(int=0), UUID("c47019c7-bce9-5eee-aee3-c53acdf46094"))

_TEXTS = (
    "", " ", "a", "Ab", " Ab ", "0", "007", "1e5", "true", "None", "é😀ß", "e\u0301", "line\nbreak\ttab",
    "it's", "a,b", '{"b": 1, "a": 2}', "2020-01-01", "Ada.Lovelace@Example.ORG", "https://Example.ORG:443/A/../b?q=1#x",
    "<b>bold</b> & so on", "c47019c7-bce9-5eee-aee3-c53acdf46094", "+49 (0)30 123456", "long " * 999,
)  # fmt: skip

_OTHERS: dict[str, tuple[Any, ...]] = {
    "timestamp": (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2020, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
        datetime(1850, 3, 4, 5, 6, 7, tzinfo=UTC),
    ),
    "boolean": (True, False),
    "float": (0.0, 0.1, -1.5, 1e9, 123456.789),
    "date": (date(1970, 1, 1), date(2020, 2, 29), date(1, 1, 1), date(9999, 12, 31)),
    "json": ({"b": [1, 2.5, None, True], "a": {"x": "é"}}, [], {}, "text", 0),
}
