"""Drift: what people changed of the seed's rows is counted and told; nothing is written."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from seedrail.errors import StateError
from seedrail.history.rail import Rail
from seedrail.merge.report.differing import Difference
from seedrail.merge.report.drift import describe, differences, report
from tests.laws.conftest import worlds
from tests.laws.test_found import groups, node
from tests.laws.world import Make, World, item_id, node_id
from tests.support.databases import Database


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    with worlds(database, tmp_path) as fresh:
        yield fresh


def found(world: World) -> list[tuple[str, str, int, tuple[str, ...]]]:
    """What is found, and that finding it writes nothing, the ledger included."""
    before = world.database.content(ledger=True, volatile=True)
    with world.database.engine.connect() as connection:
        rail = Rail(ScriptDirectory(str(world.directory)))
        differing = differences(connection, rail)
        assert differences(connection, rail) == differing, "temporary tables were left"
    assert world.database.content(ledger=True, volatile=True) == before
    return [(one.kind, one.table, one.count, one.rows) for one in differing]


def family() -> dict[str, Any]:
    """A group with a node, its child, and an item."""
    state = groups(a=1)
    one = node_id("one", "a")
    state["nodes"] = {one: node("one", "a"), node_id("two", "a"): node("two", "a", parent="one")}
    state["items"] = {item_id(one, "x"): {"node_id": one, "name": "x", "amount": 0.5}}
    return state


@pytest.mark.long_on("postgresql")
def test_rows_as_they_were_seeded_do_not_differ(make: Make) -> None:
    world = make(([family()],))
    world.install_schema()
    assert found(world) == []
    world.upgrade()
    assert found(world) == []


@pytest.mark.long_on("postgresql")
def test_a_database_without_a_ledger_has_nothing_to_compare(make: Make) -> None:
    world = make(([family()],))
    assert found(world) == []
    world.upgrade("s1")
    assert found(world) == []


@pytest.mark.long_on("sqlite")
def test_edited_and_deleted_rows_are_counted_by_table_and_the_first_are_named(make: Make) -> None:
    world = make(([groups(a=1, b=1, c=1, d=1, e=1, **{"f, g": 1})],))
    world.upgrade()
    world.database.execute("UPDATE groups SET size = NULL WHERE name IN ('a', 'f, g')")
    world.database.execute("DELETE FROM groups WHERE name NOT IN ('a', 'f, g')")
    edited, deleted = sorted(found(world), reverse=True)
    assert (*edited[:3], sorted(edited[3])) == ("edited", "groups", 2, ["('f, g')", "(a)"])
    assert deleted[:3] == ("deleted", "groups", 4)
    assert len(set(deleted[3])) == 3


@pytest.mark.long
def test_a_row_that_was_moved_away_from_its_seed_id_counts_as_deleted(make: Make) -> None:
    world = make(([family()],))
    world.upgrade()
    world.database.execute("DELETE FROM nodes WHERE name = 'two'")
    world.database.execute("UPDATE items SET amount = 2")
    assert found(world) == [("deleted", "nodes", 1, ("(two, a)",)), ("edited", "items", 1, ("(one, a, x)",))]


@pytest.mark.long_on("postgresql")
def test_an_edit_of_a_column_that_no_seed_sets_is_one(make: Make) -> None:
    world = make(([groups(a=1, b=1)],))
    world.upgrade()
    world.database.execute("ALTER TABLE groups ADD COLUMN room VARCHAR(9)")
    assert found(world) == []
    world.database.execute("UPDATE groups SET room = 'B12' WHERE name = 'a'")
    assert found(world) == [("edited", "groups", 1, ("(a)",))]


@pytest.mark.long_on("sqlite")
def test_an_edit_of_a_volatile_column_is_none(make: Make) -> None:
    world = make(([groups(a=1)],))
    world.upgrade()
    world.database.execute("UPDATE groups SET created_at = '2001-01-01 00:00:00'")
    assert found(world) == []


def add_group(world: World, size: int) -> None:
    sql = "INSERT INTO groups (id, name, size) VALUES (:id, 'a', :size)"
    world.database.execute(sql, id="3a5e7f10000040008000000000000001", size=size)


@pytest.mark.long_on("postgresql")
def test_an_adopted_row_is_told_as_its_owner_s_and_its_children_do_not_differ(make: Make) -> None:
    world = make(([family()],))
    world.install_schema()
    add_group(world, size=1)
    world.upgrade()
    assert found(world) == []
    world.database.execute("UPDATE groups SET size = 7")
    assert found(world) == [("adopted", "groups", 1, ("(a)",))]


@pytest.mark.long_on("postgresql")
def test_what_a_policy_kept_is_told_as_kept_until_something_else_is_edited(make: Make) -> None:
    world = make(([groups(a=1, b=1), groups(a=2, b=2)],))
    world.upgrade("seed_0001")
    world.database.execute("UPDATE groups SET size = 9 WHERE name = 'a'")
    world.database.execute("DELETE FROM groups WHERE name = 'b'")
    world.upgrade(policy="keep")
    [(kind, table, count, rows)] = found(world)
    assert (kind, table, count, sorted(rows)) == ("kept", "groups", 2, ["(a)", "(b)"])
    world.database.execute("ALTER TABLE groups ADD COLUMN room VARCHAR(9)")
    world.database.execute("UPDATE groups SET room = 'B12' WHERE name = 'a'")
    assert found(world) == [("edited", "groups", 1, ("(a)",)), ("kept", "groups", 1, ("(b)",))]


@pytest.mark.long_on("postgresql")
def test_what_a_policy_overwrote_does_not_differ(make: Make) -> None:
    world = make(([groups(a=1), groups(a=2)],))
    world.upgrade("seed_0001")
    world.database.execute("UPDATE groups SET size = 9")
    world.upgrade(policy="overwrite")
    assert found(world) == []


@pytest.mark.long_on("postgresql")
def test_a_released_row_is_nobody_s_but_the_users(make: Make) -> None:
    world = make(([groups(a=1, b=1), groups(b=1)], 99, [False, True]))
    world.upgrade()
    world.database.execute("UPDATE groups SET size = 9 WHERE name = 'a'")
    assert found(world) == []


@pytest.mark.long_on("sqlite")
def test_a_set_that_is_left_out_is_not_compared(make: Make) -> None:
    world = make(([family()],))
    world.upgrade()
    world.database.execute("UPDATE nodes SET hits = 9")
    world.database.execute("UPDATE seed_state SET status = 'left out' WHERE seed_set = 'nodes'")
    assert found(world) == []


@pytest.mark.long_on("postgresql")
def test_each_set_is_compared_with_the_revision_that_it_is_at(make: Make) -> None:
    other = family()
    other["groups"] = groups(a=2)["groups"]
    world = make(([family(), other],))
    world.upgrade()
    # As it is for a set that was left out since: only its own revision says what it holds.
    world.database.execute("UPDATE seed_state SET revision = 'seed_0001' WHERE seed_set = 'nodes'")
    world.database.execute("UPDATE items SET amount = 2")
    assert found(world) == [("edited", "items", 1, ("(one, a, x)",))]


def test_a_comparison_that_is_refused_leaves_the_transaction_as_it_was(
    postgresql: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with worlds(postgresql, tmp_path) as fresh:
        world = fresh(([groups(a=1)],))
        world.upgrade()
        rail = Rail(ScriptDirectory(str(world.directory)))
        with postgresql.engine.connect() as connection:
            connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            assert differences(connection, rail) == [], "rows that are as they were need no temporary table"
        postgresql.execute("UPDATE groups SET size = 2")
        with postgresql.engine.connect() as connection, caplog.at_level(logging.INFO):
            connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            report(lambda: differences(connection, rail), logging.WARNING)
            assert connection.scalar(sa.text("SELECT count(*) FROM groups")) == 1
    [record] = [record for record in caplog.records if record.name == "seedrail.merge.report.drift"]
    assert record.getMessage().startswith("the rows were not compared with the seed: cannot execute ")


@pytest.mark.long_on("postgresql")
def test_a_comparison_waits_for_nobody_and_lets_nobody_wait(make: Make) -> None:
    world = make(([groups(a=1)],))
    world.upgrade()
    world.database.execute("UPDATE groups SET size = 2")
    rail = Rail(ScriptDirectory(str(world.directory)))
    with world.database.engine.connect() as writer, world.database.engine.connect() as reader:
        writer.execute(sa.text("UPDATE groups SET size = 3"))
        [one] = differences(reader, rail)
        assert (one.kind, one.count) == ("edited", 1)
        if world.database.kind == "postgresql":
            locks = "SELECT mode FROM pg_locks WHERE relation = 'groups'::regclass AND pid = pg_backend_pid()"
            assert set(reader.scalars(sa.text(locks))) <= {"AccessShareLock"}
        writer.rollback()
        writer.execute(sa.text("UPDATE groups SET size = 4"))
        writer.rollback()


def test_a_history_that_does_not_fit_is_said_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def misfit() -> Iterable[Difference]:
        raise StateError("no such revision")

    with caplog.at_level(logging.INFO):
        report(misfit, logging.INFO)
    assert caplog.messages == ["the rows were not compared with the seed: no such revision"]


def test_nothing_is_said_where_nothing_differs(caplog: pytest.LogCaptureFixture) -> None:
    report(list, logging.ERROR)
    assert caplog.messages == []


def test_each_kind_has_a_line_of_its_own_words() -> None:
    lines = describe(
        [
            Difference("edited", "machines", 2, ("(lumi)", "(daint)")),
            Difference("deleted", "artifacts", 1),
            Difference("edited", "simulations", 1_234, ("(a)", "(b)", "(c)")),
            Difference("kept", "machines", 2),
            Difference("adopted", "machines\n", 1),
        ]
    )
    assert lines[:4] == [
        "1,236 seeded rows were edited: 2 in machines (lumi), (daint), 1,234 in simulations (a), (b), (c), …",
        "1 seeded row was deleted: 1 in artifacts",
        "2 seeded rows differ and were kept under a policy: 2 in machines",
        "1 adopted row differs from the seed: 1 in 'machines\\n'",
    ]
    assert "seed_conflict=keep" in lines[4]


def test_what_a_policy_settled_needs_no_advice() -> None:
    assert len(describe([Difference("kept", "machines", 2)])) == 1
