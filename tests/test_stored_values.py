"""Values as their columns store them: what a column makes of a value is nobody's edit, and an edit is one."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from seedrail import SeedError
from tests.support.databases import Database
from tests.support.items import Items

MOMENT = sa.DateTime(timezone=True)
NARROW: dict[str, tuple[str, sa.types.TypeEngine[Any], Any, Any, str]] = {
    "real": ("REAL", sa.REAL(), 0.1, 0.2, "0.10000001"),
    "real that the model does not know": ("REAL", sa.Float(), 0.1, 16777217.0, "1e-45"),
    "whole seconds": (
        "TIMESTAMPTZ(0)", MOMENT, "2020-01-01T00:00:00.600Z", "2020-01-01T00:00:02.400Z",
        "'1850-03-04 05:06:07Z'",
    ),
    "two decimal places": ("NUMERIC(6,2)", sa.Numeric(), "0.126", "12.339", "5"),
    "padded text": ("CHAR(5)", sa.CHAR(5), "ab", "abc", "'ab c'"),
    "blank at the end": ("CHAR(5)", sa.String(5), "ab ", "abc ", "'x'"),
    "small integer": ("SMALLINT", sa.Integer(), 3, 4, "5"),
    "date in a timestamp": ("TIMESTAMPTZ", sa.Date(), "2020-01-01", "2020-01-02", "'2020-01-01 00:00:01Z'"),
    "domain": ("hundredths", sa.Numeric(), "0.126", "12.339", "0.12"),
    "enum made by hand": ("colour", sa.String(9), "red", "green", "'blue'"),
    "text of any case": ("CITEXT", sa.String(9), "red", "Green", "'Red'"),
    "json": ("JSON", sa.JSON(), {"b": 1, "a": [1.50]}, {"a": "é"}, """'{"z":  1.0, "z": "\\u00e9"}'"""),
}  # fmt: skip
"""A column's own type, the model's, two values of the seed, and an edit as SQL."""


def with_value(database: Database, directory: Path, ddl: str, type_: Any) -> Items:
    return _items(database, directory, {"value": (ddl, type_)})


def of_every_kind(postgresql: Database, directory: Path) -> Items:
    """A table with a column of each kind."""
    postgresql.execute("CREATE EXTENSION IF NOT EXISTS citext")
    postgresql.execute("CREATE DOMAIN hundredths AS NUMERIC(6,2) CHECK (value < 1000)")
    postgresql.execute("CREATE TYPE colour AS ENUM ('red', 'green', 'blue')")
    return _items(postgresql, directory, {kind: narrow[:2] for kind, narrow in NARROW.items()})


def _items(database: Database, directory: Path, columns: dict[str, tuple[str, Any]]) -> Items:
    uuid = "UUID" if database.kind == "postgresql" else "CHAR(32)"
    declared = ", ".join(f'"{name}" {ddl}' for name, (ddl, _) in columns.items())
    table = f"CREATE TABLE items (id {uuid} PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, {declared})"
    return Items(database, directory, [sa.Column(name, type_) for name, (_, type_) in columns.items()], table)


def element(number: int) -> dict[str, Any]:
    return {"name": "a", **{kind: narrow[2 + number] for kind, narrow in NARROW.items()}}


def texts(items: Items) -> dict[str, str]:
    """What the columns of the only row hold, as text."""
    columns = ", ".join(f'"{kind}"::text' for kind in NARROW)
    return dict(zip(NARROW, items.database.rows(f"SELECT {columns} FROM items")[0], strict=True))


@pytest.mark.long
def test_what_a_column_makes_of_a_value_is_no_edit(postgresql: Database, tmp_path: Path) -> None:
    items = of_every_kind(postgresql, tmp_path / "items")
    items.ship(element(0))
    before = texts(items)
    items.downgrade()
    items.upgrade()
    items.ship(element(1))
    after = texts(items)
    assert not set(before.items()) & set(after.items())
    items.downgrade("seed_0001")
    assert texts(items) == before
    assert items.run_script("upgrade", "seed_0001:seed_0002")
    assert texts(items) == after
    assert items.run_script("downgrade", "seed_0002:seed_0001")
    assert texts(items) == before


@pytest.mark.long
def test_an_edit_is_one_to_the_last_bit(postgresql: Database, tmp_path: Path) -> None:
    items = of_every_kind(postgresql, tmp_path / "items")
    items.ship(element(0))
    with postgresql.engine.connect() as connection:
        for kind, (*_, edit) in NARROW.items():
            connection.execute(sa.text(f'UPDATE items SET "{kind}" = {edit}'.replace(":", "\\:")))
            connection.commit()
            with pytest.raises(SeedError, match=f'its "?{kind}"? was changed'):
                items.downgrade()
            connection.execute(sa.text(f'UPDATE items SET "{kind}" = NULL'))
            connection.commit()
    assert not items.run_script("downgrade", "seed_0001:seed_base")


@pytest.mark.long
def test_an_edit_comes_back_to_the_last_bit(postgresql: Database, tmp_path: Path) -> None:
    items = of_every_kind(postgresql, tmp_path / "items")
    items.ship(element(0))
    items.ship(element(1))
    items.downgrade("seed_0001")
    edits = ", ".join(f'"{kind}" = {edit}' for kind, (*_, edit) in NARROW.items())
    postgresql.execute(f"UPDATE items SET {edits}".replace(":", "\\:"))
    edited = texts(items)
    for move in (items.upgrade, items.downgrade):
        with pytest.raises(SeedError, match=f"{len(NARROW)} conflicts"):
            move()
    assert not items.run_script("upgrade", "seed_0001:seed_0002")
    items.upgrade(policy="overwrite")
    items.downgrade("seed_0001")
    assert texts(items) == edited
    assert items.run_script("upgrade", "seed_0001:seed_0002", policy="overwrite")
    assert items.run_script("downgrade", "seed_0002:seed_0001")
    assert texts(items) == edited


@pytest.mark.long
def test_a_change_that_its_column_does_not_tell_apart_is_no_change(
    postgresql: Database, tmp_path: Path
) -> None:
    items = with_value(postgresql, tmp_path / "items", "REAL", sa.REAL())
    items.ship({"name": "a", "value": 0.1})
    items.ship({"name": "a", "value": 0.100000001})
    items.downgrade("seed_0001")
    items.upgrade()
    items.downgrade()
    assert items.values("value") == {}


@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
def test_a_collation_of_sqlite_hides_no_edit(sqlite: Database, tmp_path: Path, collation: str) -> None:
    items = with_value(sqlite, tmp_path / "items", f"VARCHAR(9) COLLATE {collation}", sa.String(9))
    items.ship({"name": "a", "value": "red"})
    sqlite.execute("UPDATE items SET value = :value", value="RED" if collation == "NOCASE" else "red ")
    with pytest.raises(SeedError, match="its value was changed"):
        items.downgrade()
    assert not items.run_script("downgrade", "seed_0001:seed_base")
    items.ship({"name": "a", "value": "RED" if collation == "NOCASE" else "red "})
    items.downgrade("seed_0001")


@pytest.mark.parametrize(
    ("ddl", "type_", "one", "stored"),
    [("TEXT", sa.Integer(), 1, "text"), ("INTEGER", sa.String(9), "1", "integer"),
     ("BLOB", sa.Integer(), 1, "integer"), ("NUMERIC", sa.Float(), 2.0, "integer"),
     ("JSON", sa.JSON(), 1.5, "real"), ("REAL", sa.Integer(), 1, "real")],
)  # fmt: skip
@pytest.mark.long
def test_sqlite_compares_what_the_column_made_of_a_value(
    sqlite: Database, tmp_path: Path, ddl: str, type_: Any, one: Any, stored: str
) -> None:
    items = with_value(sqlite, tmp_path / "items", ddl, type_)
    items.ship({"name": "a", "value": one})
    assert items.values("typeof(value)") == {"a": stored}
    items.downgrade()
    items.upgrade()
    items.ship({"name": "a", "value": type(one)(7)})
    assert items.run_script("downgrade", "seed_0002:seed_0001")
    sqlite.execute("UPDATE items SET value = x'31'")
    with pytest.raises(SeedError, match="its value was changed"):
        items.downgrade()


@pytest.mark.long_on("postgresql")
def test_a_row_is_met_by_its_key_s_own_collation_and_told_to_differ(
    database: Database, tmp_path: Path
) -> None:
    uuid, name = "CHAR(32)", "VARCHAR(50) COLLATE NOCASE"
    if database.kind == "postgresql":
        database.execute("CREATE EXTENSION IF NOT EXISTS citext")
        uuid, name = "UUID", "CITEXT"
    ddl = f"CREATE TABLE items (id {uuid} PRIMARY KEY, name {name} NOT NULL UNIQUE)"
    items = Items(database, tmp_path / "items", ddl=ddl)
    items.ship()
    items.ship({"name": "Lumi"})
    items.downgrade()
    database.execute("INSERT INTO items (id, name) VALUES ('c47019c7bce95eeeaee3c53acdf46094', 'LUMI')")
    with pytest.raises(SeedError, match="another name: the seed wants 'Lumi', found 'LUMI'"):
        items.upgrade()


def test_columns_of_any_type_are_compared_with_their_defaults(postgresql: Database, tmp_path: Path) -> None:
    defaults = {
        "json": ("'{}'", "'[]'"), "jsonb": ("NULL", "'1'"), "point": ("'(1,2)'", "'(1,3)'"),
        "numeric(6,2)": ("0", "0.01"), "char(4)": ("'ab'", "'abc'"), "int[]": ("'{1}'", "'{2}'"),
        "timestamptz(0)": ("'2020-01-01'", "'2020-01-02'"), "int4range": ("'[1,2)'", "'[1,3)'"),
        "documents": ("'{}'", "'[1]'"), "numbers": ("'{1}'", "'{2}'"),
        "point[]": ("'{}'", "'{\"(1,2)\"}'"), "pair": ("'(1,a)'", "'(2,b)'"), "pairs": ("NULL", "'(2,b)'"),
    }  # fmt: skip
    items = Items(postgresql, tmp_path / "items")
    items.ship({"name": "a"})
    postgresql.execute("CREATE TYPE pair AS (n int, t text)")
    postgresql.execute("CREATE DOMAIN pairs AS pair")
    postgresql.execute("CREATE DOMAIN documents AS jsonb")
    postgresql.execute("CREATE DOMAIN numbers AS int[]")
    for number, (type_, (default, _)) in enumerate(defaults.items()):
        postgresql.execute(f"ALTER TABLE items ADD c{number} {type_} DEFAULT {default}")
    items.downgrade()
    items.upgrade()
    postgresql.execute(
        "UPDATE items SET " + ", ".join(f"c{n} = {edit}" for n, (_, edit) in enumerate(defaults.values()))
    )
    edited = postgresql.rows("SELECT items::text FROM items")
    with pytest.raises(SeedError, match=f"{len(defaults)} conflicts"):
        items.downgrade()
    # Taken away by an upgrade and given back by the way down, they are what they were.
    items.ship({"name": "b"}, policy="overwrite")
    items.downgrade("seed_0001")
    assert postgresql.rows("SELECT items::text FROM items") == edited


def test_an_edit_comes_back_beside_a_column_that_refuses_null(postgresql: Database, tmp_path: Path) -> None:
    items = Items(postgresql, tmp_path / "items", [sa.Column("size", sa.Integer)])
    items.ship({"name": "a", "size": 1})
    postgresql.execute("CREATE DOMAIN filled AS text CHECK (VALUE IS NOT NULL)")
    postgresql.execute("ALTER TABLE items ADD room filled DEFAULT 'x'")
    postgresql.execute("UPDATE items SET size = 5")
    items.ship({"name": "a", "size": 2}, policy="overwrite")
    items.downgrade("seed_0001")
    assert items.values("size") == {"a": 5}


def test_sqlite_takes_no_decimal_that_it_would_round(sqlite: Database, tmp_path: Path) -> None:
    items = with_value(sqlite, tmp_path / "items", "NUMERIC(30, 10)", sa.Numeric(30, 10))
    items.ship({"name": "a", "value": "123456789012345.5"}, {"name": "b", "value": "-0.012345678"})
    assert items.values("value") == {"a": 123456789012345.5, "b": -0.012345678}
    with pytest.raises(
        SeedError, match=r"SQLite would store the decimal 12345678901234567890\.1234567891 as"
    ):
        items.ship({"name": "a", "value": "12345678901234567890.1234567891"}, {"name": "b", "value": "1"})
    assert items.values("value") == {"a": 123456789012345.5, "b": -0.012345678}
    with pytest.raises(SeedError, match="fewer digits"):
        items.run_script("upgrade", "seed_0001:seed_0002")
