"""Rows that take each other's unique values: swaps, circles and chains, on the way up and down."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from seedrail import SeedError
from tests.support.databases import Database
from tests.support.items import Items

KINDS: dict[str, tuple[Any, list[Any]]] = {
    "small": (sa.SmallInteger(), [1, 2, 32767, 0]),
    "integer": (sa.Integer(), [1, 2, 2**31 - 1, 0]),
    "big": (sa.BigInteger(), [2**63 - 1, 1, 2, -5]),
    "decimal": (sa.Numeric(3, 1), ["99.9", "1", "2.5", "-3"]),
    "any_decimal": (sa.Numeric(), ["99.9", "1", "2.5", "-3"]),
    "float": (sa.Float(), [0.1, 1e300, 2.5, -3.0]),
    "real": (sa.REAL(), [0.1, 3e38, 2.5, -3.0]),
    "code": (sa.String(3), ["abc", "xyz", "zzz", "zzy"]),
    "capitals": (sa.String(3), ["ABC", "XYZ", "ZZZ", "ZZY"]),
    "letter": (sa.String(1), ["a", "z", "y", "x"]),
    "digits": (sa.String(8), ["1", "2", "99999999", "99999998"]),
    "padded": (sa.CHAR(3), ["ab", "cd", "efg", "h"]),
    "text": (sa.Text(), ["a", "b", "c", "d"]),
    "uuid": (sa.Uuid(), [str(UUID(int=number)) for number in range(4)]),
    "date": (sa.Date(), [date(2020, 1, 1), date(9999, 12, 31), date(1, 6, 1), date(2020, 1, 2)]),
    "timestamp": (
        sa.DateTime(timezone=True),
        [datetime(year, 12, 31, 23, tzinfo=UTC) for year in (2020, 9999, 2, 2021)],
    ),
}


def rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def with_value(database: Database, directory: Path, type_: Any) -> Items:
    return Items(database, directory, [sa.Column("value", type_, unique=True, nullable=False)])


def of_every_kind(database: Database, directory: Path) -> Items:
    """A table with a unique column of each kind."""
    columns = [sa.Column(name, type_, unique=True, nullable=False) for name, (type_, _) in KINDS.items()]
    return Items(database, directory, columns)


def elements(**choices: int) -> list[dict[str, Any]]:
    """Rows by name, each with the value of that number in every column."""
    return [
        {"name": name, **{kind: values[number] for kind, (_, values) in KINDS.items()}}
        for name, number in choices.items()
    ]


@pytest.mark.long
def test_rows_swap_pass_on_and_free_unique_values_of_any_kind(database: Database, tmp_path: Path) -> None:
    items = of_every_kind(database, tmp_path / "items")
    items.ship(*elements(a=0, b=1, c=2))
    before = database.content()["items"]
    # b and a swap; c's value goes to a row that comes, and c takes a new one.
    items.ship(*elements(a=1, b=0, c=3, d=2))
    after = database.content()["items"]
    assert len(after) == 4
    assert not set(before) & set(after)
    items.downgrade("seed_0001")
    assert database.content()["items"] == before
    assert items.run_script("upgrade", "seed_0001:seed_0002")
    assert database.content()["items"] == after
    assert items.run_script("downgrade", "seed_0002:seed_0001")
    assert database.content()["items"] == before


@pytest.mark.long_on("postgresql")
def test_a_circle_and_a_chain_of_many_rows(database: Database, tmp_path: Path) -> None:
    items = with_value(database, tmp_path / "items", sa.Integer())
    items.ship(*rows({f"n{number}": number for number in range(40)}))
    items.ship(*rows({f"n{number}": (number + 7) % 40 for number in range(40)}))
    assert items.values("value") == {f"n{number}": (number + 7) % 40 for number in range(40)}
    items.ship(*rows({f"n{number}": number + 1 for number in range(40)}))
    items.downgrade("seed_0001")
    items.upgrade()
    assert items.values("value") == {f"n{number}": number + 1 for number in range(40)}
    # A row that goes leaves its value to one that comes, and to one that moves up.
    items.ship(*rows({"n39": 1, "new": 40}))
    items.downgrade("seed_0002")
    assert items.values("value") == {f"n{number}": (number + 7) % 40 for number in range(40)}


@pytest.mark.long_on("postgresql")
def test_other_rows_and_other_columns_are_left_as_they_are(database: Database, tmp_path: Path) -> None:
    label = sa.Column("label", sa.String(60), nullable=False)
    place = sa.Column("place", sa.Integer, nullable=False)
    items = Items(database, tmp_path / "items", [label, place, sa.UniqueConstraint("label", "place")])
    items.ship({"name": "a", "label": "x", "place": 1}, {"name": "b", "label": "x", "place": 2})
    items.ship({"name": "a", "label": "x", "place": 2}, {"name": "b", "label": "x", "place": 1})
    # The label is easier to park, but these rows do not set it.
    assert items.values("label") == {"a": "x", "b": "x"}
    assert items.values("place") == {"a": 2, "b": 1}
    items.downgrade("seed_0001")
    assert items.values("place") == {"a": 1, "b": 2}


@pytest.mark.long_on("postgresql")
def test_checks_of_the_column_hold_meanwhile(database: Database, tmp_path: Path) -> None:
    checks = [
        sa.CheckConstraint("place > 0"),
        sa.CheckConstraint("length(code) = 3 AND code = upper(code)"),
    ]
    place = sa.Column("place", sa.Integer, unique=True, nullable=False)
    code = sa.Column("code", sa.String(3), unique=True, nullable=False)
    items = Items(database, tmp_path / "items", [place, code, *checks])
    items.ship({"name": "a", "place": 1, "code": "ABC"}, {"name": "b", "place": 2, "code": "XYZ"})
    items.ship({"name": "a", "place": 2, "code": "XYZ"}, {"name": "b", "place": 1, "code": "ABC"})
    assert items.values("place") == {"a": 2, "b": 1}
    assert items.values("code") == {"a": "XYZ", "b": "ABC"}


@pytest.mark.long_on("sqlite")
def test_a_swap_that_a_check_leaves_no_room_for_is_one_sentence(database: Database, tmp_path: Path) -> None:
    column = sa.Column("flag", sa.Boolean, unique=True, nullable=False)
    items = Items(database, tmp_path / "items", [column])
    items.ship({"name": "a", "flag": True}, {"name": "b", "flag": False})
    with pytest.raises(SeedError, match="the database refused the seed"):
        items.ship({"name": "a", "flag": False}, {"name": "b", "flag": True})
    assert database.scalar("SELECT count(*) FROM items WHERE name = 'a' AND flag") == 1


@pytest.mark.parametrize("index", ["(lower(code))", "(code) WHERE size > 0"])
@pytest.mark.long
def test_expressions_and_conditions_are_unique_keys_too(
    database: Database, tmp_path: Path, index: str
) -> None:
    code, size = sa.Column("code", sa.String(9), nullable=False), sa.Column("size", sa.Integer)
    items = Items(database, tmp_path / "items", [code, size])
    database.execute(f"CREATE UNIQUE INDEX ux ON items {index}")
    items.ship({"name": "a", "code": "X", "size": 1}, {"name": "b", "code": "Y", "size": 1})
    items.ship({"name": "a", "code": "y", "size": 1}, {"name": "b", "code": "X", "size": 1})
    items.ship({"name": "a", "code": "X", "size": 1}, {"name": "b", "code": "y", "size": 1})
    assert items.values("code") == {"a": "X", "b": "y"}
    items.downgrade("seed_0001")
    assert items.values("code") == {"a": "X", "b": "Y"}


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.long
def test_a_value_to_make_way_at_is_nobodys_in_any_case(
    database: Database, tmp_path: Path, order: str
) -> None:
    """Whichever row makes way first: the other still holds its value then."""
    items = Items(database, tmp_path / "items", [sa.Column("code", sa.String(9), nullable=False)])
    database.execute("CREATE UNIQUE INDEX ux ON items (lower(code))")
    first, other = order
    items.ship({"name": first, "code": "y"}, {"name": other, "code": "X"})
    items.ship({"name": first, "code": "X"}, {"name": other, "code": "y"})
    assert items.values("code") == {first: "X", other: "y"}


@pytest.mark.long
def test_nulls_that_collide_are_no_way_out(postgresql: Database, tmp_path: Path) -> None:
    column = sa.Column("value", sa.Integer)
    items = Items(
        postgresql,
        tmp_path / "items",
        [column, sa.UniqueConstraint("value", postgresql_nulls_not_distinct=True)],
    )
    items.ship(*rows({"a": 1, "b": 2, "c": 3, "d": None}))
    items.ship(*rows({"a": 2, "b": 3, "c": None, "d": 1}))
    assert items.values("value") == {"a": 2, "b": 3, "c": None, "d": 1}
    assert items.run_script("downgrade", "seed_0002:seed_0001")
    assert items.values("value") == {"a": 1, "b": 2, "c": 3, "d": None}


@pytest.mark.long
def test_a_column_that_others_point_at_is_not_moved_about(database: Database, tmp_path: Path) -> None:
    items = Items(
        database,
        tmp_path / "items",
        [
            sa.Column("place", sa.Integer, nullable=False),
            sa.Column("code", sa.String(9), nullable=False),
            sa.UniqueConstraint("code", "place"),
        ],
    )
    items.ship({"name": "a", "place": 1, "code": "x"}, {"name": "b", "place": 2, "code": "x"})
    database.execute("CREATE UNIQUE INDEX ux ON items (place)")
    database.execute("CREATE TABLE notes (place INTEGER REFERENCES items (place) ON UPDATE CASCADE)")
    database.execute("INSERT INTO notes VALUES (1)")
    with pytest.raises(SeedError):
        items.ship({"name": "a", "place": 2, "code": "x"}, {"name": "b", "place": 1, "code": "x"})
    assert database.scalar("SELECT place FROM notes") == 1
    assert items.values("place") == {"a": 1, "b": 2}
