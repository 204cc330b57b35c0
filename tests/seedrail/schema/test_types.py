"""Frozen column types: what they are called, and the one form of each value."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.core.database import JSON_OBJECT, UTCDateTime
from seedrail.errors import SetupError
from seedrail.schema.identity import canonical_json
from seedrail.schema.types import KINDS, ColumnType, canonical_timestamp, parse_timestamp

SIZES = st.integers(1, 10_000)
TYPES = st.one_of(
    st.sampled_from([ColumnType(kind) for kind in KINDS]),
    st.builds(lambda length: ColumnType("string", length), SIZES),
    st.builds(lambda precision, scale: ColumnType("decimal", None, precision, scale), SIZES, SIZES),
)
ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(),
    "string": st.text(),
    "text": st.text(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    "timestamp": st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES),
    "date": st.dates(),
    "json": st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.lists(st.text())),
}  # fmt: skip


@given(TYPES)
def test_a_type_is_read_back_as_it_was_written(type_: ColumnType) -> None:
    assert ColumnType.parse(str(type_)) == type_


@pytest.mark.parametrize(
    "text",
    [
        "", "varchar", "STRING", "string()", "string(0)", "string(-1)", "string(1,2)", "string( 5)",
        "string(5", "string5)", "string(5))", "string(٥)", "string(05)", "uuid(5)", "integer(4)",
        "decimal(10)", "decimal(1,2,3)", "decimal(,2)", "json\n", " json", "string(5)\n", "text(5)",
    ],
)  # fmt: skip
def test_a_type_that_nobody_wrote_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="unknown column type"):
        ColumnType.parse(text)


@given(st.text(max_size=20) | st.from_regex(r"(string|decimal|uuid)\([0-9, ]*\)"))
def test_any_text_is_either_the_name_of_a_type_or_a_value_error(text: str) -> None:
    try:
        type_ = ColumnType.parse(text)
    except ValueError:
        return
    assert str(type_) == text


class _Colour(StrEnum):
    RED = "red"


class _Mixed(str, Enum):  # noqa: UP042 - the other way to write it, whose str() is not the value
    RED = "red"


@pytest.mark.parametrize(
    ("type_", "frozen"),
    [
        (sa.Uuid(), "uuid"),
        (sa.String(20), "string(20)"),
        (sa.Unicode(20), "string(20)"),
        (sa.String(), "text"),
        (sa.Text(), "text"),
        (sa.Enum(_Colour, native_enum=False, length=32), "string(32)"),
        (sa.Integer(), "integer"),
        (sa.BigInteger(), "integer"),
        (sa.SmallInteger(), "integer"),
        (sa.Boolean(), "boolean"),
        (sa.Float(), "float"),
        (sa.Double(), "float"),
        (sa.Numeric(), "decimal"),
        (sa.Numeric(10, 2), "decimal(10,2)"),
        (sa.Numeric(10), "decimal(10,0)"),
        (sa.DateTime(timezone=True), "timestamp"),
        (UTCDateTime(), "timestamp"),
        (sa.Date(), "date"),
        (sa.JSON(), "json"),
        (JSONB(), "json"),
        (JSON_OBJECT, "json"),
    ],
)
def test_a_models_column_type_is_frozen_and_has_a_staging_type(type_: Any, frozen: str) -> None:
    column = ColumnType.freeze(type_, "t.c")
    assert str(column) == frozen
    assert ColumnType.parse(frozen) == column
    assert column.sqlalchemy().compile(dialect=sa.create_engine("sqlite://").dialect)


@pytest.mark.parametrize(
    "type_",
    [
        sa.LargeBinary(), sa.DateTime(), sa.Time(), sa.Interval(), sa.PickleType(), ARRAY(sa.Integer),
        sa.Enum(_Colour), sa.types.NullType(),
    ],
)  # fmt: skip
def test_a_type_that_seeds_cannot_hold_is_a_setup_error_that_names_the_column(type_: Any) -> None:
    with pytest.raises(SetupError, match=r"^t\.c: "):
        ColumnType.freeze(type_, "t.c")


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_canonical_forms_are_json_and_stay_as_they_are(kind: str, data: st.DataObject) -> None:
    type_, value = ColumnType(kind), data.draw(VALUES[kind])
    canonical = type_.canonical(value)
    assert canonical_json(canonical)
    again = {
        "uuid": UUID, "timestamp": parse_timestamp, "date": date.fromisoformat, "decimal": Decimal,
    }.get(kind, lambda same: same)  # fmt: skip
    assert type_.canonical(again(canonical)) == canonical


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_null_in_every_type(kind: str) -> None:
    assert ColumnType(kind).canonical(None) is None


@given(VALUES["timestamp"], ZONES)
def test_one_instant_has_one_text_whatever_zone_it_is_told_in(moment: datetime, zone: timezone) -> None:
    text = canonical_timestamp(moment)
    assert text == canonical_timestamp(moment.astimezone(zone))
    assert parse_timestamp(text) == moment
    assert parse_timestamp(text).tzinfo is UTC


@given(st.lists(VALUES["timestamp"], min_size=2, max_size=2, unique=True))
def test_different_instants_have_different_texts(moments: list[datetime]) -> None:
    one, other = map(canonical_timestamp, moments)
    assert one != other


@given(VALUES["decimal"])
def test_a_decimal_keeps_every_digit_whatever_the_context(number: Decimal) -> None:
    with localcontext() as context:
        context.prec = 3
        text = ColumnType("decimal").canonical(number)
    assert Decimal(text) == number
    assert "E" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.50", "1.5"), ("100", "100"), (Decimal("1E+3"), "1000"), ("-0.00", "0"), (5, "5"), ("0.10", "0.1"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ],
)  # fmt: skip
def test_a_decimal_has_one_text(value: Any, text: str) -> None:
    assert ColumnType("decimal").canonical(value) == text


def test_a_string_enum_stands_for_its_value() -> None:
    for member in (_Colour.RED, _Mixed.RED):
        canonical = ColumnType("string", 10).canonical(member)
        assert (canonical, type(canonical)) == ("red", str)


def test_minus_zero_is_zero() -> None:
    assert str(ColumnType("float").canonical(-0.0)) == "0.0"
    assert ColumnType("decimal").canonical(Decimal("-0")) == "0"


@pytest.mark.parametrize(
    ("type_", "value", "why"),
    [
        ("integer", True, "is not an integer: True"),
        ("integer", 1.0, "is not an integer: 1.0"),
        ("integer", "1", "is not an integer: '1'"),
        ("integer", 2**63, "does not fit a 64-bit integer"),
        ("integer", -(2**63) - 1, "does not fit a 64-bit integer"),
        ("boolean", 1, "is not a boolean: 1"),
        ("string", 5, "is not a string: 5"),
        ("string(3)", "éééé", "is too long: 4 characters, the column holds 3"),
        ("float", True, "is not a number: True"),
        ("float", "1", "is not a number: '1'"),
        ("float", float("nan"), "is not a finite number"),
        ("float", float("-inf"), "is not a finite number"),
        ("float", 10**400, "is not a finite number"),
        ("decimal", True, "is not a decimal: True"),
        ("decimal", 1.5, "is not a decimal: 1.5"),
        ("decimal", "abc", "is not a decimal: 'abc'"),
        ("decimal", "NaN", "is not a finite number"),
        ("decimal", "sNaN", "is not a finite number"),
        ("decimal", "Infinity", "is not a finite number"),
        ("decimal", "1e100000", "has more than 1000 digits"),
        ("decimal", "1e-100000", "has more than 1000 digits"),
        ("decimal(5,2)", "1.005", "has 3 decimal places, the column holds 2"),
        ("decimal(5,2)", "-1000", "does not fit the column: at most 3 digits before the point"),
        ("timestamp", "2015-01-01T00:00:00Z", "is not a date and time: '2015-01-01T00:00:00Z'"),
        ("timestamp", date(2015, 1, 1), "is not a date and time: datetime.date"),
        ("timestamp", datetime(2015, 1, 1), "has no offset from UTC"),
        ("timestamp", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "lies outside the years"),
        ("timestamp", datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
         "lies outside the years"),
        ("date", datetime(2015, 1, 1, tzinfo=UTC), "is not a date: datetime.datetime"),
        ("date", "2015-01-01", "is not a date: '2015-01-01'"),
        ("uuid", "xyz", "badly formed"),
        ("uuid", 5, "is not a UUID: 5"),
        ("json", {"a": {1, 2}}, "holds something that JSON has no form for"),
        ("json", [float("inf")], "holds something that JSON has no form for"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_its_type_is_a_value_error_that_says_why(
    type_: str, value: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}"):
        ColumnType.parse(type_).canonical(value)


@pytest.mark.parametrize("text", ["999.99", "-999.9", "0.01", "0", "000.10"])
def test_a_decimal_that_fits_its_column_is_kept(text: str) -> None:
    assert Decimal(ColumnType.parse("decimal(5,2)").canonical(text)) == Decimal(text)
