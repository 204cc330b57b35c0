"""Server defaults of models: which are literals, and what value they are."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from seedrail.schema.defaults import ServerDefault, server_default
from seedrail.schema.tables import FrozenTable, SeedTable, freeze
from seedrail.schema.types import ColumnType


def default(type_: Any, given: Any) -> ServerDefault | None:
    column: sa.Column[Any] = sa.Column("c", type_, server_default=given)
    return server_default(column, ColumnType.freeze(type_, "t.c"))


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [
        (sa.Integer(), "7", 7),
        (sa.Integer(), sa.text("-7"), -7),
        (sa.Integer(), sa.text("'7'::integer"), 7),
        (sa.Integer(), sa.literal(7), 7),
        (sa.Integer(), sa.text("NULL"), None),
        (sa.Integer(), sa.null(), None),
        (sa.Boolean(), sa.false(), False),
        (sa.Boolean(), "1", True),
        (sa.Boolean(), sa.text("TRUE"), True),
        (sa.String(9), "it's", "it's"),
        (sa.String(9), sa.text("'it''s'"), "it's"),
        (sa.Float(), sa.text("1.5e3"), 1500.0),
        (sa.Numeric(6, 2), "1.50", "1.5"),
        (sa.Date(), "2020-01-01", "2020-01-01"),
        (sa.DateTime(timezone=True), "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        (sa.JSON(), "{}", {}),
    ],
)
def test_a_literal_default_has_a_value(type_: Any, given: Any, value: Any) -> None:
    found = default(type_, given)
    assert found is not None
    assert (found.literal, found.value) == (True, value)
    assert ServerDefault.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (sa.Integer(), sa.text("abs(-3)")),
        (sa.Integer(), sa.text("seven")),
        (sa.Integer(), sa.FetchedValue()),
        (sa.Integer(), "99999999999"),
        (sa.DateTime(timezone=True), sa.func.now()),
        (sa.DateTime(timezone=True), "2020-01-01"),
        (sa.Date(), sa.text("CURRENT_DATE")),
        (sa.Boolean(), "perhaps"),
    ],
)
def test_a_default_that_is_no_literal_has_none(type_: Any, given: Any) -> None:
    found = default(type_, given)
    assert found is not None
    assert (found.literal, found.value) == (False, None)
    assert ServerDefault.from_json(found.to_json()) == found


def test_a_header_tells_defaults_and_unique_keys() -> None:
    table = sa.Table(
        "things",
        sa.MetaData(),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False, unique=True),
        sa.Column("size", sa.Integer, server_default="7", unique=True),
        sa.Column("day", sa.Date, server_default=sa.func.current_date()),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("'2020-01-01Z'")),
    )
    sa.Index("ix", sa.func.lower(table.c.name), unique=True)
    frozen = freeze(SeedTable(table, ("name",)), "set").without(["size", "day"])
    assert list(frozen.columns) == ["name", "at"]
    assert {name: one.literal for name, one in frozen.defaults.items()} == {"size": True, "day": False}
    assert [(unique.columns, unique.exact) for unique in frozen.uniques] == [
        (("name",), False),
        (("name",), True),
        (("size",), True),
    ]
    assert FrozenTable.from_json(frozen.to_json()) == frozen
    # One from before knows of no default, and of its natural key alone.
    entry = {key: value for key, value in frozen.to_json().items() if key not in ("defaults", "uniques")}
    older = FrozenTable.from_json(entry)
    assert (older.defaults, [unique.columns for unique in older.uniques]) == ({}, [("name",)])


def test_values_of_defaults_are_in_canonical_form() -> None:
    found = default(sa.DateTime(timezone=True), datetime(2020, 1, 1, tzinfo=UTC).isoformat())
    assert found is not None
    assert found.value == "2020-01-01T00:00:00Z"
    assert default(sa.Date(), date(2020, 1, 1).isoformat()) == ServerDefault(
        ColumnType("date"), True, "2020-01-01"
    )
