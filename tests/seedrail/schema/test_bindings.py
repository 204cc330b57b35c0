"""What a model's type stores: a seed is refused where it would store something else."""

import base64
import os
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.core.types import JSON_OBJECT, UTCDateTime
from seedrail import SeedTable, SetupError
from seedrail.schema.tables import FrozenTable, freeze


class Genre(StrEnum):
    SCIFI = "science fiction"
    CRIME = "crime"


class Letter(Enum):
    A = "A"
    B = "B"


class Level(IntEnum):
    LOW = 1


def by_value(members: Any) -> list[str]:
    return [one.value for one in members]


class Encrypted(sa.types.TypeDecorator[str]):
    """Gives another text each time."""

    impl = sa.Text

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else base64.b64encode(os.urandom(8) + value.encode()).decode()


class Lowered(sa.types.TypeDecorator[str]):
    impl = sa.String

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value.lower()


class EmptyIsNull(sa.types.TypeDecorator[str]):
    impl = sa.String

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value or None


class Cents(sa.types.TypeDecorator[int]):
    impl = sa.Integer

    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        return None if value is None else value * 100


class PackedJson(sa.types.TypeDecorator[Any]):
    impl = sa.JSON

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return {"v": 1, "data": value}


class OnOnlyOne(sa.types.TypeDecorator[str]):
    """Another on PostgreSQL than on SQLite."""

    impl = sa.String

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value.upper() if dialect.name == "postgresql" else value


class InSql(sa.types.TypeDecorator[str]):
    impl = sa.String

    def bind_expression(self, bindparam: Any) -> Any:
        return sa.func.lower(bindparam)


class OutOfSql(sa.String):
    def column_expression(self, colexpr: Any) -> Any:
        return sa.func.lower(colexpr)


class Reversed(sa.String):
    """Not a decorator, but a type with a binding of its own."""

    def bind_processor(self, dialect: Any) -> Any:
        return lambda value: value and value[::-1]


class Same(sa.types.TypeDecorator[str]):
    """Does nothing to what goes in."""

    impl = sa.String

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return value and value.strip()


def frozen(type_: Any, **options: Any) -> FrozenTable:
    table = sa.Table(
        "things",
        sa.MetaData(),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False, unique=True),
        sa.Column("value", type_),
    )
    return freeze(SeedTable(table, ("name",), **options), "set")


def refusal(type_: Any) -> str:
    with pytest.raises(SetupError) as caught:
        frozen(type_)
    return str(caught.value)


@pytest.mark.parametrize("members", [Genre, Level])
def test_refuses_an_enum_that_is_stored_by_name(members: Any) -> None:
    said = refusal(sa.Enum(members, native_enum=False, length=20))
    assert said.startswith(f"things.value: the enum {members.__name__} is stored by name, as ")
    assert "values_callable" in said


class Plain(sa.types.TypeDecorator[Any]):
    """An enum with a wrapper that changes nothing."""

    impl = sa.Enum


def test_looks_for_an_enum_behind_a_decorator() -> None:
    assert "the enum Genre is stored by name" in refusal(Plain(Genre, native_enum=False, length=20))
    assert frozen(Plain(Genre, native_enum=False, length=20, values_callable=by_value)).columns["value"]


def test_takes_an_enum_that_stores_what_a_document_says() -> None:
    for type_ in (
        sa.Enum(Genre, native_enum=False, values_callable=by_value),
        sa.Enum(Letter, native_enum=False),
        sa.Enum("x", "y", native_enum=False),
    ):
        assert frozen(type_).columns["value"].type.kind == "string"


def test_a_value_outside_of_an_enum_is_a_fault() -> None:
    type_ = frozen(sa.Enum(Genre, native_enum=False, values_callable=by_value)).columns["value"].type
    assert type_.canonical(Genre.CRIME) == "crime"
    for value in ("CRIME", "novel", ""):
        with pytest.raises(ValueError, match="is not one of 'crime', 'science fiction'"):
            type_.canonical(value)


@pytest.mark.parametrize(
    "type_",
    [Encrypted(), Lowered(20), EmptyIsNull(20), Cents(), PackedJson(), OnOnlyOne(9), InSql(9), OutOfSql(9),
     Reversed(9), sa.String(20).with_variant(Lowered(20), "postgresql"),
     Encrypted().with_variant(sa.Text(), "sqlite"),
     sqlite.DATETIME(storage_format="%(year)04d", regexp=r"(\d+)"),
     sa.DateTime(timezone=True).with_variant(sqlite.DATETIME(storage_format="%(year)04d"), "sqlite"),
     sa.Uuid().with_variant(sa.String(36), "sqlite")],
    ids=repr,
)  # fmt: skip
def test_refuses_a_type_that_stores_something_else(type_: Any) -> None:
    said = refusal(type_)
    assert said.startswith("things.value: "), said
    if "cannot hold" not in said:
        assert "changes values on their way to the database" in said
        assert "declare the column volatile" in said
    assert "value" not in frozen(type_, volatile=("value",)).columns


@pytest.mark.parametrize(
    "type_",
    [UTCDateTime(), JSON_OBJECT, Same(20), sa.Uuid(as_uuid=False), postgresql.UUID(), sa.REAL(), sa.Boolean(),
     sa.String(5, collation="NOCASE"), sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
     sa.Float(asdecimal=True), sa.Numeric(6, 2), sa.Date(), sa.CHAR(3), postgresql.CITEXT(), sa.Unicode(9),
     sa.JSON(none_as_null=True), sa.Text().with_variant(postgresql.CITEXT(), "postgresql"), sa.Double(),
     postgresql.TIMESTAMP(timezone=True, precision=0), sa.SmallInteger()],
    ids=repr,
)  # fmt: skip
def test_takes_a_type_that_stores_what_it_is_given(type_: Any) -> None:
    assert "value" in frozen(type_).columns


@pytest.mark.parametrize(
    ("type_", "name"),
    [(sa.Interval(), "Interval"), (sa.PickleType(), "PickleType"), (sa.LargeBinary(), "LargeBinary"),
     (sa.DateTime(), "DateTime"), (postgresql.ARRAY(sa.Text()), "ARRAY"), (sa.Time(), "Time")],
)  # fmt: skip
def test_a_type_that_no_seed_can_hold_is_told_as_the_model_has_it(type_: Any, name: str) -> None:
    assert f"things.value: a seed table cannot hold the type {name}" in refusal(type_)


def test_refuses_uuids_that_are_stored_as_text_also_as_a_primary_key() -> None:
    assert "native_uuid=False" in refusal(sa.Uuid(native_uuid=False))
    table = sa.Table(
        "things",
        sa.MetaData(),
        sa.Column("id", sa.Uuid(native_uuid=False), primary_key=True),
        sa.Column("name", sa.String(20), nullable=False, unique=True),
    )
    with pytest.raises(SetupError, match=r"things\.id: a seeded UUID must be stored as"):
        freeze(SeedTable(table, ("name",)), "set")


@pytest.mark.parametrize(
    ("type_", "fits", "too_much"),
    [(sa.SmallInteger(), 32767, 32768), (sa.Integer(), -(2**31), -(2**31) - 1),
     (sa.BigInteger(), 2**62, 2**63),
     (sa.REAL(), 3e38, 4e38), (sa.Float(24), 1e-30, 1e-60), (sa.Float(), 4e38, float("inf"))],
    ids=repr,
)  # fmt: skip
def test_a_number_outside_of_its_column_s_range_is_a_fault(type_: Any, fits: Any, too_much: Any) -> None:
    column = frozen(type_).columns["value"].type
    assert column.canonical(fits) == fits
    with pytest.raises(ValueError, match=r"does not fit|is not a finite number"):
        column.canonical(too_much)


def test_refuses_a_table_in_a_schema_of_its_own_and_a_link_into_one() -> None:
    metadata = sa.MetaData()
    owner = sa.Table("owners", metadata, sa.Column("id", sa.Uuid, primary_key=True), schema="auth")
    link = sa.Table(
        "links",
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False, unique=True),
        sa.Column("owner", sa.ForeignKey(owner.c.id)),
    )
    placed = sa.Table(
        "things",
        sa.MetaData(schema="audit"),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False, unique=True),
    )
    with pytest.raises(SetupError, match="things: the model puts the table things into the schema 'audit'"):
        freeze(SeedTable(placed, ("name",)), "set")
    with pytest.raises(SetupError, match=r"links\.owner: the model puts the table owners .* 'auth'"):
        freeze(SeedTable(link, ("name",)), "set")
    assert "owner" not in freeze(SeedTable(link, ("name",), volatile=("owner",)), "set").foreign_keys
