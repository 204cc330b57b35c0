"""Values of every kind read side by side: what was seeded is found the same, and each edit is found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.postgresql import JSONB

from seedrail import Rail
from seedrail.merge.report import as_left
from seedrail.merge.report.as_left import AsLeft
from seedrail.merge.report.drift import different_rows, tables_as_left
from tests.support.databases import Database
from tests.support.items import Items
from tests.test_stored_values import NARROW, element, of_every_kind

MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
KINDS: dict[str, tuple[Any, list[Any], list[str]]] = {
    "word": (sa.String(99), ["plain", 'a "b" \\ \n\t é 😀 {"a":1}', ""], ["'Plain'", "NULL"]),
    "prose": (sa.Text(), ["x" * 3000, "100 %", ":colon"], ["'x '", "''"]),
    "whole": (sa.BigInteger(), [0, -(2**63), 2**63 - 1], ["1", "NULL"]),
    "switch": (sa.Boolean(), [True, False, None], ["NULL"]),
    "double": (sa.Float(), [5.0, 0.1, 1e300], ["0.30000000000000004", "1e-7"]),
    "money": (sa.Numeric(12, 2), ["1.5", "-0.01", "1000"], ["1.51", "0"]),
    "moment": (
        MOMENT,
        ["2015-01-01T00:00:00Z", "1850-03-04T05:06:07.5Z", "0001-01-01T00:00:00.000001Z"],
        ["'2015-01-01 00:00:00.000001'", "'2015-01-01 00:00:01'"],
    ),
    "day": (sa.Date(), ["2015-01-01", "0001-01-01", None], ["'2015-01-02'", "NULL"]),
    "document": (
        DOCUMENT,
        [{"bb": [1, 2.5, {"a": None}], "a": {}, "é": "ü"}, [], "text"],
        ["""'{"a": 1}'""", "'null'"],
    ),
    "odd name: %s": (sa.String(9), ["a", "b", None], ["'c'"]),
}  # fmt: skip
"""Columns with three values of a seed, and edits as SQL."""


@pytest.fixture
def items(database: Database, tmp_path: Path) -> Items:
    """Three rows with a value of every kind, seeded."""
    made = Items(
        database, tmp_path / "items", [sa.Column(name, type_) for name, (type_, *_) in KINDS.items()]
    )
    made.ship(*seeded())
    return made


def seeded() -> Iterator[dict[str, Any]]:
    for number in range(3):
        yield {"name": f"n{number}", **{name: values[number] for name, (_, values, _) in KINDS.items()}}


def glance(items: Items) -> AsLeft:
    rail = Rail(ScriptDirectory(str(items.directory)))
    with items.database.engine.connect() as connection:
        [found] = tables_as_left(connection, rail)
        with patch.object(as_left, "side_of", lambda _: None):
            exact = different_rows(connection, rail)
    assert found.differ >= len(exact)
    return found


def test_values_of_every_kind_are_found_as_they_were_seeded(items: Items) -> None:
    found = glance(items)
    assert (found.rows, found.same, found.others, found.told) == (3, 3, 0, True)


@pytest.mark.long_on("postgresql")
def test_each_edit_of_a_value_of_any_kind_is_found(items: Items) -> None:
    for column, (*_, changes) in KINDS.items():
        quoted = '"' + column.replace('"', '""') + '"'
        for change in changes:
            text = f"UPDATE items SET {quoted} = {change} WHERE name = 'n0'"
            items.database.execute(text.replace(":", "\\:"))
            assert glance(items).differ == 1, text
            restore(items)
    assert glance(items).differ == 0


def restore(items: Items) -> None:
    """All rows as they were seeded."""
    items.database.execute("DELETE FROM items")
    items.database.execute("UPDATE seed_state SET revision = 'seed_base', sha256 = ''")
    items.upgrade()


@pytest.mark.parametrize("number", [0, 1])
def test_odd_types_of_a_column_are_never_called_clean_when_they_are_not(
    postgresql: Database, tmp_path: Path, number: int
) -> None:
    items = of_every_kind(postgresql, tmp_path / "items")
    items.ship(element(number))
    glance(items)
    for kind, (*_, edit) in NARROW.items():
        postgresql.execute(f'UPDATE items SET "{kind}" = {edit}'.replace(":", "\\:"))
        assert glance(items).differ == 1, kind


def test_a_table_of_more_columns_than_a_function_takes(database: Database, tmp_path: Path) -> None:
    columns = [sa.Column(f"c{number}", sa.Integer()) for number in range(190)]
    items = Items(database, tmp_path / "items", columns)
    items.ship({"name": "a", "c0": 1, "c95": 2, "c189": 3}, {"name": "b"})
    assert glance(items).same == 2
    items.database.execute("UPDATE items SET c189 = NULL")
    assert glance(items).same == 1


def test_a_text_that_passes_for_another_column_is_none(database: Database, tmp_path: Path) -> None:
    """A column of another type than the seed's may hold what looks like the end of a value."""
    uuid = "UUID" if database.kind == "postgresql" else "CHAR(32)"
    table = f"CREATE TABLE items (id {uuid} PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, a TEXT, b TEXT)"
    columns = [sa.Column("a", sa.Integer()), sa.Column("b", sa.Integer())]
    items = Items(database, tmp_path / "items", columns, table)
    items.ship({"name": "x", "a": 5, "b": 6})
    glance(items)
    items.database.execute("""UPDATE items SET a = '5,"b"\\:6', b = NULL""")
    assert glance(items).differ == 1


def test_columns_that_are_gone_are_not_missed(database: Database, tmp_path: Path) -> None:
    items = Items(
        database, tmp_path / "items", [sa.Column("old", sa.Integer()), sa.Column("a", sa.Integer())]
    )
    items.ship({"name": "x", "old": 1, "a": 2})
    items.database.execute("ALTER TABLE items DROP COLUMN old")
    assert glance(items).differ == 0
    items.database.execute("UPDATE items SET a = 3")
    assert glance(items).differ == 1
