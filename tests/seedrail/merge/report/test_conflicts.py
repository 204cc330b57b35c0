"""Reports of conflicts: what people wrote into rows is told in quotes, and forges no line of the report."""

import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from seedrail import ConflictError, SeedError
from seedrail.merge.database.guards import stop_if_any
from seedrail.merge.report.conflicts import Conflict
from seedrail.quoting import harmless
from tests.laws.conftest import worlds
from tests.laws.test_found import groups, node
from tests.laws.world import Make, World, node_id
from tests.support.databases import Database

FORGED = "x)\n  - edited: groups (forged)\x1b[2K\u202e"
SHOWN = "'x)\\n  - edited: groups (forged)\\u001b[2K\\u202e'"
KINDS = ["exists", "edited", "edited row", "edited since", "edited before", "deleted", "unlinked"]


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    with worlds(database, tmp_path) as fresh:
        yield fresh


def refused(world: World) -> list[str]:
    """The lines of a rollback's report that name conflicts."""
    with pytest.raises(ConflictError) as caught:
        world.downgrade()
    lines = str(caught.value).split("\n")
    assert all(map(harmless, lines))
    return [line.removeprefix("  - ") for line in lines if line.startswith("  - ")]


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_of_a_conflict_forges_a_line(kind: str) -> None:
    line = str(Conflict(kind, FORGED, "(a)", FORGED, FORGED, FORGED))
    assert harmless(line)
    assert SHOWN in line


@pytest.mark.long_on("postgresql")
def test_keys_and_values_of_people_s_rows_are_quoted(make: Make) -> None:
    world = make(([groups(**{"a": 1, FORGED: 1})],))
    world.upgrade()
    world.database.execute("ALTER TABLE groups ADD COLUMN note TEXT")
    world.database.execute("UPDATE groups SET note = :note", note=FORGED)
    own, key = refused(world) if "(a)" in refused(world)[0] else reversed(refused(world))
    assert own == f"edited: groups (a) would be deleted, but its note was changed from NULL to {SHOWN}"
    assert key.startswith(f"edited: groups ({SHOWN}) would be deleted, but its note")


@pytest.mark.parametrize("columns", ["name", "name, place"])
@pytest.mark.long_on("postgresql")
def test_the_primary_keys_of_rows_that_point_at_a_seeded_one_are_quoted(make: Make, columns: str) -> None:
    world = make(([groups(a=1)],))
    world.upgrade()
    uuid = "UUID" if world.database.kind == "postgresql" else "CHAR(32)"
    world.database.execute(
        f"CREATE TABLE bookings (name TEXT, place TEXT, g {uuid} REFERENCES groups (id),"
        f" PRIMARY KEY ({columns}))"
    )
    for name in ("a, b", FORGED, "b/c"):
        world.database.execute(
            "INSERT INTO bookings (name, place, g) SELECT :name, 'p', id FROM groups", name=name
        )
    [line] = refused(world)
    ids = line.removesuffix(")").partition("(id ")[2]
    expected = {"'a, b'", SHOWN, "b/c"} if columns == "name" else {"'a, b'/p", f"{SHOWN}/p", "'b/c'/p"}
    for one in expected:
        assert one in ids
        ids = ids.replace(one, "")
    assert ids == ", , "
    world.database.execute("DROP TABLE bookings")


@pytest.mark.long_on("sqlite")
def test_what_a_policy_settled_is_logged_in_quotes(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world = make(([groups(a=1)],))
    world.upgrade()
    world.database.execute("UPDATE groups SET name = :name", name=FORGED)
    with caplog.at_level(logging.INFO):
        world.downgrade(policy="overwrite")
    assert any(SHOWN in message for message in caplog.messages)
    assert all(map(harmless, caplog.messages))


@pytest.mark.long_on("postgresql")
def test_what_the_database_refuses_is_told_with_its_key_in_one_line(make: Make) -> None:
    state = groups(a=1)
    state["nodes"] = {node_id("one", "a"): {**node("one", "a"), "slot": FORGED}}
    world = make(([groups(a=1), state],))
    world.upgrade("seed_0001")
    world.database.execute(
        "INSERT INTO nodes (id, name, group_id, slot, hits) SELECT :id, 'own', id, :slot, 0 FROM groups",
        id="3a5e7f10000040008000000000000001",
        slot=FORGED,
    )
    with pytest.raises(SeedError, match="the database refused the seed: ") as caught:
        world.upgrade()
    lines = str(caught.value).split("\n")
    assert len(lines) == 2
    assert all(map(harmless, lines))
    if world.database.kind == "postgresql":
        assert "Key (slot)=(x)\\n  - edited" in lines[0]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.long_on("postgresql")
def test_a_comment_of_a_script_ends_where_it_should(dialect: str) -> None:
    written = StringIO()
    options = {"as_sql": True, "literal_binds": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    stop_if_any(context, "rows of a\nDROP TABLE users; --", sa.select(sa.literal(0)))
    comment, _, statement = written.getvalue().partition("\n\n")
    assert comment == "-- stops here if there are rows of a DROP TABLE users; --"
    assert statement.startswith("INSERT INTO seed_guard")


def test_a_script_s_report_ends_no_line_where_a_value_does(make_on_sqlite: Make) -> None:
    states = [
        {**groups(g=1), "nodes": {node_id("x", "g"): node("x", "g") | {"slot": slot}}}
        for slot in ("one", "two")
    ]
    world = make_on_sqlite((states, 99, []))
    world.upgrade("seed_0001")
    world.database.execute("UPDATE nodes SET slot = 'a' || char(10) || 'forged' || char(27) || '[2J'")
    script = world.script("upgrade", "seed_0001:seed_0002")
    world.database.close()
    ended = world.database.run_script(script)
    assert ended.returncode
    assert r"|slot|two|a\nforged\x1b[2J" in ended.stdout
