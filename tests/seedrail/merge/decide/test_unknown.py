"""A script deletes rows only where it knows every column that they may hold something in."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from seedrail import ConflictError, SeedCatalog
from tests.laws.world import GROUPS, World
from tests.support.databases import Database
from tests.support.worlds import state, world_of

POLICIES = ("abort", "keep", "overwrite")

LATER = sa.Table(
    "groups",
    sa.MetaData(),
    *(sa.Column(column.name, column.type) for column in GROUPS.columns),
    sa.Column("note", sa.Text()),
    sa.Column("rank", sa.Integer(), server_default="3"),
    sa.Column("label", sa.String(20), server_default=sa.text("'it''s'")),
    sa.Column("open", sa.Boolean(), server_default=sa.true()),
    sa.Column("price", sa.Numeric(10, 2), server_default="0"),
    sa.Column("tags", sa.JSON()),
    sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.Column("twice", sa.Integer(), sa.Computed("size * 2")),
)
"""The model of `groups` with columns that came after its seeds."""

OWN_VALUES = {"note": "'x'", "rank": "4", "label": "'its'", "open": "false", "price": "0.01", "tags": "'[1]'"}


def seeded(database: Database, directory: Path) -> World:
    """A world at its second state, to which a row came and from which one went."""
    world = world_of(database, directory, state({"a": 1, "b": 1}), state({"a": 1, "c": 1}))
    # A script refuses to delete where a table that no model knows points at the seeds.
    database.execute("DROP TABLE notes")
    world.upgrade()
    return world


def add(database: Database, *names: str) -> None:
    """Columns of the model, as a schema revision would add them."""
    dialect = database.engine.dialect
    for name in names:
        column = sa.schema.CreateColumn(LATER.c[name]).compile(dialect=dialect)
        # SQLite adds no stored column to a table that is there, nor one with a computed default.
        ddl = str(column).replace("CURRENT_TIMESTAMP", "'2020-01-01 00:00:00'").replace(" STORED", "")
        database.execute(f"ALTER TABLE groups ADD {ddl if database.kind == 'sqlite' else column}")


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("policy", POLICIES)
def test_a_script_stops_before_it_deletes_where_a_column_is_in_no_model(
    database: Database, tmp_path: Path, policy: str
) -> None:
    world = seeded(database, tmp_path)
    database.execute("ALTER TABLE groups ADD room text")
    database.execute("UPDATE groups SET room = 'B12'")
    before = world.content()
    done = database.run_script(world.script("downgrade", "seed_0002:seed_base", policy))
    assert done.returncode != 0
    assert "room" in done.stdout + done.stderr
    assert world.content() == before


@pytest.mark.long_on("postgresql")
def test_a_script_stops_on_its_way_up_where_a_column_is_in_no_model(
    database: Database, tmp_path: Path
) -> None:
    world = seeded(database, tmp_path)
    world.downgrade("seed_0001")
    database.execute("ALTER TABLE groups ADD room text DEFAULT 'B12'")
    before = world.content()
    assert not world.run_script(world.script("upgrade", "seed_0001:seed_0002"))
    assert world.content() == before
    # What the script cannot know is its column's default, and an online run sees it.
    world.upgrade()
    database.execute("UPDATE groups SET room = 'C1'")
    with pytest.raises(ConflictError, match="room"):
        world.downgrade()


def test_a_script_that_deletes_nothing_goes_by_columns_that_it_does_not_know(
    database: Database, tmp_path: Path
) -> None:
    world = world_of(database, tmp_path, state({"a": 1}), state({"a": 2, "b": 1}))
    world.upgrade("seed_0001")
    database.execute("ALTER TABLE groups ADD room text")
    database.execute("UPDATE groups SET room = 'B12'")
    assert world.run_script(world.script("upgrade", "seed_0001:seed_0002"))
    assert database.rows("SELECT name, size, room FROM groups ORDER BY name") == [
        ("a", 2, "B12"),
        ("b", 1, None),
    ]


@pytest.mark.long
def test_a_script_knows_columns_that_came_to_the_model_after_the_seeds(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = seeded(database, tmp_path)
    monkeypatch.setattr(SeedCatalog, "models", {"groups": LATER})
    script = world.script("downgrade", "seed_0002:seed_0001", "keep")
    # The revision that adds most of them has not been applied.
    add(database, "note")
    assert world.run_script(script)
    world.upgrade()
    add(database, *OWN_VALUES.keys() - {"note"}, "seen_at", "twice")
    for name, value in OWN_VALUES.items():
        database.execute(f"UPDATE groups SET {name} = {value} WHERE name = 'c'")
        before = world.content()
        assert not world.run_script(script), name
        assert world.content() == before
        default = LATER.c[name].server_default
        text = "NULL" if not isinstance(default, sa.DefaultClause) else f"{default.arg}"
        text = f"'{text}'" if name in ("rank", "price") else text
        database.execute(f"UPDATE groups SET {name} = {text} WHERE name = 'c'")
    assert world.run_script(script)
    assert {name for (name,) in database.rows("SELECT name FROM groups")} == {"a", "b"}
