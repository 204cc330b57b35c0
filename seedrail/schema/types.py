"""Column types as change files freeze them: a small vocabulary with one canonical JSON form a value."""

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from seedrail.errors import SetupError
from seedrail.schema.ranges import check_single, is_single, limits_of

KINDS = (
    "uuid", "string", "text", "integer", "boolean", "float", "decimal", "timestamp", "date", "json"
)  # fmt: skip

_INTEGER_LIMIT = 2**63
_DECIMAL_DIGITS = 1_000
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_WRITTEN = re.compile(r"([a-z]+)(?:\(([1-9][0-9]*)(?:,(0|[1-9][0-9]*))?\))?", re.ASCII)


@dataclass(frozen=True)
class ColumnType:
    """A frozen type: `kind` from KINDS; `length` in characters for `string`; digits for `decimal`.

    What a document may give is narrower still, as far as today's model says: `choices` of an enum, `limits`
    of an integer, `single` precision. Change files do not carry that.
    """

    kind: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    choices: frozenset[str] | None = field(default=None, compare=False)
    limits: tuple[int, int] | None = field(default=None, compare=False)
    single: bool = field(default=False, compare=False)

    @property
    def is_text(self) -> bool:
        """Whether values are texts, which a collation may hold equal."""
        return self.kind in ("string", "text")

    def __str__(self) -> str:
        if self.kind == "decimal" and self.precision is not None:
            return f"decimal({self.precision},{self.scale or 0})"
        return f"{self.kind}({self.length})" if self.length else self.kind

    @classmethod
    def parse(cls, text: str) -> "ColumnType":
        """The type that `str()` wrote; raises ValueError for anything else."""
        match = _WRITTEN.fullmatch(text)
        if match and match.group(1) in KINDS:
            kind, size, scale = match.groups()
            if size is None:
                return cls(kind)
            if kind == "decimal" and scale is not None:
                return cls(kind, None, int(size), int(scale))
            if kind == "string" and scale is None:
                return cls(kind, int(size))
        raise ValueError(f"unknown column type {text!r}")

    @classmethod
    def freeze(cls, type_: TypeEngine[Any], where: str) -> "ColumnType":
        """The frozen form of a model's column type; SetupError for one that seeds cannot hold."""
        declared = type_
        while isinstance(type_, TypeDecorator):
            type_ = type_.impl_instance
        match type_:
            case sa.Uuid(native_uuid=False):
                raise SetupError(
                    f"{where}: a seeded UUID must be stored as the database's own type;"
                    " leave native_uuid=False out"
                )
            case sa.Uuid():
                return cls("uuid")
            case sa.Enum() if not type_.native_enum:
                return cls("string", type_.length, choices=_choices(type_))
            case sa.Enum():
                raise SetupError(f"{where}: native enum types cannot be seeded; use native_enum=False")
            case sa.Text() | sa.String(length=None):
                return cls("text")
            case sa.String():
                return cls("string", type_.length)
            case sa.Boolean():
                return cls("boolean")
            case sa.Integer():
                return cls("integer", limits=limits_of(type_))
            case sa.Float():
                return cls("float", single=is_single(type_))
            case sa.Numeric():
                if type_.precision is None:
                    return cls("decimal")
                return cls("decimal", None, type_.precision, type_.scale or 0)
            case sa.DateTime(timezone=True):
                return cls("timestamp")
            case sa.Date():
                return cls("date")
            case sa.JSON():
                return cls("json")
        raise SetupError(f"{where}: a seed table cannot hold the type {declared!r}")

    def sqlalchemy(self) -> TypeEngine[Any]:
        """The SQLAlchemy type of a staging column that holds this type's stored form."""
        match self.kind:
            case "uuid":
                return sa.Uuid()
            case "string" | "text":
                return sa.Text()
            case "integer":
                return sa.BigInteger()
            case "boolean":
                return sa.Boolean(create_constraint=False)
            case "float":
                return sa.Double()
            case "decimal":
                return sa.Numeric(self.precision, self.scale)
            case "timestamp":
                return sa.DateTime(timezone=True)
            case "date":
                return sa.Date()
            case _:
                return sa.JSON().with_variant(JSONB(), "postgresql")

    def canonical(self, value: Any) -> Any:
        """A Python value in its one JSON form; ValueError says why it does not fit the type."""
        if value is None:
            return None
        canonical = _CANONICAL[self.kind](value)
        if self.length is not None and len(canonical) > self.length:
            raise ValueError(f"is too long: {len(canonical)} characters, the column holds {self.length}")
        if self.kind == "decimal":
            self._check_digits(canonical)
        elif self.choices is not None and canonical not in self.choices:
            raise ValueError(f"is not one of {', '.join(sorted(map(repr, self.choices)))}: {canonical!r}")
        elif self.limits is not None and not self.limits[0] <= canonical <= self.limits[1]:
            raise ValueError(
                f"does not fit the column, which holds {self.limits[0]} to {self.limits[1]}: {canonical}"
            )
        elif self.single:
            check_single(canonical)
        return canonical

    def _check_digits(self, number: str) -> None:
        """A database would round what is too fine, and fail at what is too large."""
        whole, _, fraction = number.lstrip("-").partition(".")
        if self.precision is None:
            return
        scale = self.scale or 0
        if len(fraction) > scale:
            raise ValueError(f"has {len(fraction)} decimal places, the column holds {scale}")
        if len(whole.lstrip("0")) > self.precision - scale:
            raise ValueError(
                f"does not fit the column: at most {self.precision - scale} digits before the point"
            )


def _choices(type_: sa.Enum) -> frozenset[str]:
    members = type_.enum_class
    given = [one.value for one in members] if members else type_.enums
    return frozenset(one for one in given if isinstance(one, str))


def canonical_timestamp(value: datetime) -> str:
    """A timestamp in UTC as `2020-01-01T00:00:00Z`, with microseconds only where there are any."""
    if value.tzinfo is None:
        raise ValueError("has no offset from UTC")
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def parse_timestamp(text: str) -> datetime:
    """The aware datetime that `canonical_timestamp` wrote."""
    return datetime.fromisoformat(text)


def _expect(kind: type | tuple[type, ...], what: str) -> Any:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise ValueError(f"is not {what}: {value!r}")
        return value

    return check


_expect_string = _expect(str, "a string")
_expect_decimal = _expect((Decimal, int, str), "a decimal")
_expect_uuid = _expect(str, "a UUID")
_expect_datetime = _expect(datetime, "a date and time")
_expect_date = _expect(date, "a date")


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    # An enum that is a string stands for its value, which is not always what str() says.
    return str(_expect_string(value.value if isinstance(value, Enum) else value))


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"is not an integer: {value!r}")
    if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        raise ValueError("does not fit a 64-bit integer")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is not a number: {value!r}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("is not a finite number")
    # Minus zero equals zero in every database, and would be a phantom difference in text.
    return float(value) + 0.0


def _decimal(value: Any) -> str:
    if isinstance(value, bool):
        raise ValueError(f"is not a decimal: {value!r}")
    try:
        number = Decimal(_expect_decimal(value))
    except InvalidOperation:
        raise ValueError(f"is not a decimal: {value!r}") from None
    if not number.is_finite():
        raise ValueError("is not a finite number")
    if number and abs(number.adjusted()) > _DECIMAL_DIGITS:
        raise ValueError(f"has more than {_DECIMAL_DIGITS} digits")
    # Not normalize(), which rounds to the digits of the process's decimal context.
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if number else "0"


def _uuid(value: Any) -> str:
    if type(value) is str and _CANONICAL_UUID.fullmatch(value):
        return value
    return str(value if isinstance(value, UUID) else UUID(_expect_uuid(value)))


def _timestamp(value: Any) -> str:
    try:
        return canonical_timestamp(_expect_datetime(value))
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        raise ValueError(f"is not a date: {value!r}")
    return str(_expect_date(value).isoformat())


# Made once: json.dumps() makes an encoder for each call that asks for anything but its defaults.
_encode = json.JSONEncoder(allow_nan=False).encode


def _json(value: Any) -> Any:
    try:
        _encode(value)
    except (TypeError, ValueError):
        raise ValueError("holds something that JSON has no form for") from None
    return value


_CANONICAL = {
    "uuid": _uuid,
    "string": _string,
    "text": _string,
    "integer": _integer,
    "boolean": _expect(bool, "a boolean"),
    "float": _float,
    "decimal": _decimal,
    "timestamp": _timestamp,
    "date": _date,
    "json": _json,
}
