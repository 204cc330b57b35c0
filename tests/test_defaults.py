"""Columns that only the database writes, and columns whose server default no document names."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from seedrail import DocumentError, SeedError, SetupError
from tests.support.databases import Database
from tests.support.items import Items


def hits(**options: Any) -> sa.Column[int]:
    return sa.Column("hits", sa.Integer, **{"server_default": "7", "nullable": False, **options})


def add_column(items: Items, database: Database, column: sa.Column[Any]) -> None:
    """What a schema revision would do."""
    database.execute(f"ALTER TABLE items ADD {sa.schema.CreateColumn(column).compile(database.engine)}")
    items.table.append_column(column)


@pytest.mark.long_on("postgresql")
def test_leaves_a_computed_column_to_the_database(database: Database, tmp_path: Path) -> None:
    shout = sa.Column("shout", sa.String(50), sa.Computed("upper(name)", persisted=True))
    items = Items(database, tmp_path / "items", [shout, sa.Column("size", sa.Integer)])
    items.ship({"name": "a", "size": 1})
    assert items.values("shout") == {"a": "A"}
    items.ship({"name": "a", "size": 2})
    items.check()
    items.downgrade("seed_0001")
    assert items.values("size") == {"a": 1}
    items.downgrade()
    assert items.values("size") == {}


@pytest.mark.parametrize("always", [True, False])
def test_leaves_an_identity_column_to_the_database(
    postgresql: Database, tmp_path: Path, always: bool
) -> None:
    number = sa.Column("number", sa.Integer, sa.Identity(always=always))
    items = Items(postgresql, tmp_path / "items", [number])
    items.ship({"name": "a"}, {"name": "b"})
    assert sorted(items.values("number").values()) == [1, 2]
    items.check()
    items.downgrade()
    assert items.values("number") == {}


@pytest.mark.long_on("postgresql")
def test_a_column_that_the_database_made_a_generated_one_is_not_written(
    database: Database, tmp_path: Path
) -> None:
    uuid = "UUID" if database.kind == "postgresql" else "CHAR(32)"
    ddl = (
        f"CREATE TABLE items (id {uuid} PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, size INTEGER,"
        " twice INTEGER GENERATED ALWAYS AS (size * 2) STORED)"
    )
    items = Items(
        database, tmp_path / "items", [sa.Column("size", sa.Integer), sa.Column("twice", sa.Integer)], ddl
    )
    items.ship({"name": "a", "size": 2, "twice": 5})
    items.ship({"name": "a", "size": 3, "twice": 6})
    assert items.values("twice") == {"a": 6}
    items.downgrade()
    assert items.values("twice") == {}


@pytest.mark.long_on("sqlite")
def test_a_default_that_no_row_names_stands(database: Database, tmp_path: Path) -> None:
    at = sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now())
    items = Items(database, tmp_path / "items", [hits(), at])
    items.ship({"name": "a"}, {"name": "b"})
    assert items.values("hits") == {"a": 7, "b": 7}
    assert None not in items.values("at").values()
    items.check()
    items.downgrade()
    assert items.values("hits") == {}


@pytest.mark.long_on("postgresql")
def test_an_edit_of_a_default_is_not_lost(database: Database, tmp_path: Path) -> None:
    items = Items(database, tmp_path / "items", [hits(), sa.Column("size", sa.Integer)])
    items.ship({"name": "a", "size": 1})
    database.execute("UPDATE items SET hits = 8")
    items.ship({"name": "a", "size": 2})
    assert items.values("hits") == {"a": 8}
    with pytest.raises(SeedError, match="its hits was changed from '7' to '8'"):
        items.downgrade()
    assert not items.run_script("downgrade", "seed_0002:seed_base")
    assert items.values("hits") == {"a": 8}
    database.execute("UPDATE items SET hits = 7")
    assert items.run_script("downgrade", "seed_0002:seed_base")
    assert items.values("hits") == {}


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize(
    ("kind", "column", "edited"),
    [
        *(
            ("sqlite", f"REAL DEFAULT {default}", "2")
            for default in ("1e3", ".5", "+1", "- 1", "0x10", "((7))")
        ),
        *(("sqlite", f"TEXT DEFAULT {default}", "'z'") for default in ('"name"', "open")),
        ("sqlite", "BLOB DEFAULT X'00'", "X'01'"),
        ("postgresql", "TEXT[] DEFAULT ARRAY[]\\:\\:TEXT[]", "'{a}'"),
        ("postgresql", "TEXT DEFAULT 'a' || 'b'", "'z'"),
        ("postgresql", "INTEGER DEFAULT 1 + 1", "3"),
    ],
)
def test_an_edit_of_a_column_that_somebody_added_is_not_lost(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, column: str, edited: str
) -> None:
    database = request.getfixturevalue(kind)
    items = Items(database, tmp_path / "items")
    items.ship({"name": "a"}, {"name": "b"})
    database.execute(f"ALTER TABLE items ADD extra {column}")
    items.downgrade()
    items.upgrade()
    database.execute(f"UPDATE items SET extra = {edited} WHERE name = 'a'")
    with pytest.raises(SeedError, match="its extra was changed"):
        items.downgrade()


@pytest.mark.long_on("postgresql")
def test_a_row_that_does_not_name_what_others_name_has_the_default(
    database: Database, tmp_path: Path
) -> None:
    items = Items(database, tmp_path / "items", [hits(nullable=True)])
    items.ship({"name": "a"}, {"name": "b", "hits": 9}, {"name": "c", "hits": None})
    assert items.values("hits") == {"a": 7, "b": 9, "c": None}
    items.downgrade()


def test_a_row_that_does_not_name_a_computed_default_is_a_fault(sqlite: Database, tmp_path: Path) -> None:
    items = Items(sqlite, tmp_path / "items", [hits(server_default=sa.text("abs(-3)"))])
    with pytest.raises(DocumentError, match="must have a value: other rows have one"):
        items.ship({"name": "a"}, {"name": "b", "hits": 9})


@pytest.mark.long_on("postgresql")
def test_a_document_may_begin_to_name_a_default(database: Database, tmp_path: Path) -> None:
    items = Items(database, tmp_path / "items", [hits()])
    items.ship({"name": "a"}, {"name": "b"})
    items.ship({"name": "a"}, {"name": "b", "hits": 9}, {"name": "c", "hits": 7})
    assert items.values("hits") == {"a": 7, "b": 9, "c": 7}
    items.check()
    # One step down, all the way, and up at once end as step by step.
    items.downgrade("seed_0001")
    assert items.values("hits") == {"a": 7, "b": 7}
    items.upgrade()
    items.downgrade()
    items.upgrade()
    assert items.values("hits") == {"a": 7, "b": 9, "c": 7}
    database.execute("UPDATE items SET hits = 1 WHERE name = 'a'")
    with pytest.raises(SeedError, match="its hits was changed from '7' to '1'"):
        items.downgrade()


@pytest.mark.long_on("postgresql")
def test_an_edit_from_before_a_document_names_a_default_is_a_conflict(
    database: Database, tmp_path: Path
) -> None:
    items = Items(database, tmp_path / "items", [hits()])
    items.ship({"name": "a"}, {"name": "b"})
    items.ship({"name": "a", "hits": 9}, {"name": "b"})
    items.downgrade("seed_0001")
    database.execute("UPDATE items SET hits = 1")
    with pytest.raises(SeedError, match="hits was changed to '1', the seed wants to set it to '9'"):
        items.upgrade()
    database.execute("UPDATE items SET hits = 7 WHERE name = 'a'")
    items.upgrade()
    assert items.values("hits") == {"a": 9, "b": 1}


@pytest.mark.long_on("postgresql")
def test_a_document_that_names_a_default_no_longer_gives_it_back(database: Database, tmp_path: Path) -> None:
    items = Items(database, tmp_path / "items", [hits()])
    items.ship({"name": "a", "hits": 1}, {"name": "b", "hits": 7})
    items.ship({"name": "a"}, {"name": "b"})
    assert items.values("hits") == {"a": 7, "b": 7}
    items.downgrade("seed_0001")
    assert items.values("hits") == {"a": 1, "b": 7}
    items.downgrade()
    items.upgrade()
    assert items.values("hits") == {"a": 7, "b": 7}
    items.downgrade()


@pytest.mark.long_on("sqlite")
def test_a_new_column_is_expected_to_hold_its_default(database: Database, tmp_path: Path) -> None:
    items = Items(database, tmp_path / "items")
    items.ship({"name": "a"}, {"name": "b"}, {"name": "c"})
    add_column(items, database, hits())
    items.ship({"name": "a", "hits": 9}, {"name": "b", "hits": 7})
    assert items.values("hits") == {"a": 9, "b": 7}
    items.check()
    items.downgrade("seed_0001")
    assert items.values("hits") == {"a": 7, "b": 7, "c": 7}
    items.downgrade()
    items.upgrade()
    assert items.values("hits") == {"a": 9, "b": 7}


@pytest.mark.long_on("postgresql")
def test_refuses_to_begin_with_a_column_whose_value_is_not_known(database: Database, tmp_path: Path) -> None:
    items = Items(database, tmp_path / "items", [hits()])
    items.ship({"name": "a"})
    items.table.c.hits.server_default = sa.DefaultClause("8")
    with pytest.raises(SetupError, match=r"items\.hits: .* its default has changed since"):
        items.ship({"name": "a", "hits": 8})
    items.table.c.hits.server_default = sa.DefaultClause(sa.func.random())
    with pytest.raises(SetupError, match=r"items\.hits: .* its default is computed by the database"):
        items.ship({"name": "a", "hits": 8})


@pytest.mark.long_on("postgresql")
def test_a_released_row_returns_with_a_column_that_it_did_not_have(
    database: Database, tmp_path: Path
) -> None:
    items = Items(database, tmp_path / "items", [hits()])
    items.ship({"name": "a"}, {"name": "b"})
    items.ship({"name": "a"}, removed="release")
    items.ship({"name": "a"}, {"name": "b", "hits": 9})
    assert items.values("hits") == {"a": 7, "b": 9}
    items.downgrade("seed_0001")
    assert items.values("hits") == {"a": 7, "b": 7}
    items.downgrade()
    assert items.values("hits") == {}
