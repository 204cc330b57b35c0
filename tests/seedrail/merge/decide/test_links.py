"""References: values that people's rows point by stay, as rows that they point at do."""

from typing import Any

import pytest

from seedrail import ConflictError
from tests.laws.test_found import groups, node, sizes
from tests.laws.world import Make, World, item_id, node_id

ACTIONS = ["CASCADE", "NO ACTION"]


def watch(world: World, action: str = "NO ACTION") -> None:
    """An operator's table that points at groups by their id and size together, with a row for each."""
    uuid = "UUID" if world.database.kind == "postgresql" else "CHAR(32)"
    world.database.execute("CREATE UNIQUE INDEX by_size ON groups (id, size)")
    world.database.execute(
        f"CREATE TABLE watch (w INTEGER, g {uuid}, s INTEGER, FOREIGN KEY (g, s)"
        f" REFERENCES groups (id, size) ON UPDATE {action})"
    )
    world.database.execute("INSERT INTO watch SELECT 1, id, size FROM groups WHERE name = 'a'")


def watched(world: World) -> list[Any]:
    """The sizes that the operator's rows have, and those of the groups that they point at."""
    return [
        tuple(row)
        for row in world.database.rows("SELECT s, size FROM watch LEFT JOIN groups ON id = g AND size = s")
    ]


@pytest.fixture
def world(make: Make) -> World:
    """Two groups, of which the second revision changes the size."""
    return make(([groups(a=1, b=1), groups(a=2, b=2)], 99, []))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.long_on("postgresql")
def test_refuses_to_change_a_value_that_rows_point_by(world: World, action: str) -> None:
    world.upgrade("seed_0001")
    watch(world, action)
    before = world.content()
    with pytest.raises(ConflictError) as refusal:
        world.upgrade()
    assert "groups (a): its size would be changed, but 1 row of watch.g,s points at it" in str(refusal.value)
    assert "groups (b)" not in str(refusal.value)
    assert world.content() == before


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize(("policy", "action"), [("keep", "CASCADE"), ("overwrite", "SET NULL")])
def test_a_policy_leaves_a_value_that_rows_point_by(world: World, policy: str, action: str) -> None:
    world.upgrade("seed_0001")
    watch(world, action)
    world.upgrade("head", policy)
    assert sizes(world) == {"a": 1, "b": 2}
    assert watched(world) == [(1, 1)]
    world.upgrade()
    world.downgrade("seed_0001")
    assert sizes(world) == {"a": 1, "b": 1}
    assert watched(world) == [(1, 1)]


@pytest.mark.long_on("postgresql")
def test_refuses_to_take_back_a_value_that_rows_point_by(world: World) -> None:
    world.upgrade()
    watch(world, "CASCADE")
    before = world.content()
    with pytest.raises(ConflictError, match="its size would be changed"):
        world.downgrade("seed_0001")
    with pytest.raises(ConflictError, match=r"would be deleted, but 1 row of watch\.g,s"):
        world.downgrade()
    assert world.content() == before


@pytest.mark.long_on("sqlite")
def test_a_row_that_points_by_part_of_a_key_points_nowhere(world: World) -> None:
    world.upgrade("seed_0001")
    watch(world)
    world.database.execute("UPDATE watch SET s = NULL")
    world.upgrade()
    assert sizes(world) == {"a": 2, "b": 2}


@pytest.mark.parametrize("policy", ["abort", "overwrite"])
@pytest.mark.long_on("postgresql")
def test_a_script_leaves_a_value_that_rows_may_point_by(world: World, policy: str) -> None:
    world.upgrade("seed_0001")
    script = world.script("upgrade", "seed_0001:seed_0002", policy)
    watch(world, "CASCADE")
    assert not world.run_script(script)
    assert sizes(world) == {"a": 1, "b": 1}
    world.database.execute("DROP TABLE watch")
    assert world.run_script(script)
    assert sizes(world) == {"a": 2, "b": 2}


@pytest.mark.long_on("postgresql")
def test_a_script_that_deletes_nothing_runs_where_keys_point_at_ids(world: World) -> None:
    world.upgrade("seed_0001")
    uuid = "UUID" if world.database.kind == "postgresql" else "CHAR(32)"
    world.database.execute(f"CREATE TABLE visits (g {uuid} REFERENCES groups (id) ON DELETE CASCADE)")
    world.database.execute("INSERT INTO visits SELECT id FROM groups")
    assert world.run_script(world.script("upgrade", "seed_0001:seed_0002"))
    assert sizes(world) == {"a": 2, "b": 2}
    assert world.database.scalar("SELECT count(*) FROM visits") == 2


@pytest.mark.long_on("sqlite")
def test_overwrite_leaves_a_value_of_an_owner_s_row_that_others_point_by(world: World) -> None:
    world.install_schema()
    uuid = "3a5e7f10-0000-4000-8000-000000000001".replace("-", "")
    world.database.execute("INSERT INTO groups (id, name, size) VALUES (:id, 'a', 7)", id=uuid)
    watch(world, "CASCADE")
    world.upgrade("seed_0001", "overwrite")
    assert sizes(world) == {"a": 7, "b": 1}
    assert watched(world) == [(7, 7)]
    world.downgrade()
    assert sizes(world) == {"a": 7}


@pytest.mark.long_on("postgresql")
def test_a_value_that_goes_back_to_its_owner_stays_where_rows_point_by_the_seed_s(world: World) -> None:
    world.install_schema()
    uuid = "3a5e7f10-0000-4000-8000-000000000001".replace("-", "")
    world.database.execute("INSERT INTO groups (id, name, size) VALUES (:id, 'a', 7)", id=uuid)
    world.upgrade("seed_0001", "overwrite")
    watch(world, "SET NULL")
    before = world.content()
    with pytest.raises(ConflictError, match=r"its size would be changed, but 1 row of watch\.g,s"):
        world.downgrade()
    assert world.content() == before
    world.downgrade("seed_base", "keep")
    assert watched(world) == [(1, 1)]


def test_columns_that_a_key_spells_otherwise_are_found(make_on_sqlite: Make) -> None:
    world = make_on_sqlite(([groups(a=1, b=1), groups(a=2, b=2)], 99, []))
    world.upgrade("seed_0001")
    world.database.execute("CREATE UNIQUE INDEX by_size ON groups (id, size)")
    world.database.execute(
        "CREATE TABLE watch (g CHAR(32), s INTEGER, FOREIGN KEY (G, S) REFERENCES GROUPS (ID, Size))"
    )
    world.database.execute("INSERT INTO watch SELECT id, size FROM groups")
    with pytest.raises(ConflictError, match="its size would be changed"):
        world.upgrade()


def slots(**slots_: str) -> dict[str, Any]:
    state = groups(g=1)
    state["nodes"] = {node_id(name, "g"): node(name, "g") | {"slot": slot} for name, slot in slots_.items()}
    return state


@pytest.mark.long_on("postgresql")
def test_a_swap_of_unique_values_does_not_move_those_that_rows_point_by(make: Make) -> None:
    world = make(([slots(x="one", y="two"), slots(x="two", y="one")], 99, []))
    world.upgrade("seed_0001")
    world.database.execute("CREATE TABLE plugs (s VARCHAR(50) REFERENCES nodes (slot) ON UPDATE CASCADE)")
    world.database.execute("INSERT INTO plugs VALUES ('one')")
    before = world.content()
    with pytest.raises(ConflictError, match=r"nodes \(x, g\): its slot would be changed"):
        world.upgrade()
    assert world.content() == before
    world.database.execute("UPDATE plugs SET s = NULL")
    world.upgrade()
    assert dict(map(tuple, world.database.rows("SELECT name, slot FROM nodes"))) == {"x": "two", "y": "one"}


def watch_twice_the_size(world: World) -> None:
    """A column that the database computes of a size, and a table that points by it, with a row for `a`."""
    stored = "STORED" if world.database.kind == "postgresql" else "VIRTUAL"
    world.database.execute(
        f"ALTER TABLE groups ADD COLUMN twice INTEGER GENERATED ALWAYS AS (size * 2) {stored}"
    )
    world.database.execute("CREATE UNIQUE INDEX by_twice ON groups (twice) ")
    world.database.execute("CREATE TABLE plugs (t INTEGER REFERENCES groups (twice) ON UPDATE CASCADE)")
    world.database.execute("INSERT INTO plugs SELECT twice FROM groups WHERE name = 'a'")


@pytest.mark.long_on("postgresql")
def test_rows_may_point_by_what_the_database_computes_of_a_seeded_value(make: Make) -> None:
    world = make(([groups(a=1, b=2), groups(a=5, b=7)], 99, []))
    world.upgrade("seed_0001")
    script = world.script("upgrade", "seed_0001:seed_0002")
    watch_twice_the_size(world)
    before = world.content()
    with pytest.raises(ConflictError, match=r"groups \(a\): its size would be changed") as refusal:
        world.upgrade()
    assert "groups (b)" not in str(refusal.value)
    with pytest.raises(ConflictError, match=r"would be deleted, but 1 row of plugs\.t"):
        world.downgrade()
    assert not world.run_script(script)
    assert world.content() == before


@pytest.mark.parametrize("name", ["seed_conflict", "seed_delete_groups"])
def test_people_s_table_may_be_named_as_one_of_the_run_s_own(make_on_sqlite: Make, name: str) -> None:
    world = make_on_sqlite(([groups(a=1, b=1)], 99, []))
    world.upgrade()
    script = world.script("downgrade", "seed_0001:seed_base")
    world.database.execute(f"CREATE TABLE {name} (g CHAR(32) REFERENCES groups (id))")
    world.database.execute(f"INSERT INTO {name} SELECT id FROM groups WHERE name = 'a'")
    before = world.content()
    with pytest.raises(ConflictError, match=rf"would be deleted, but 1 row of {name}\.g"):
        world.downgrade()
    assert not world.run_script(script)
    assert world.content() == before


@pytest.fixture
def parted(make: Make) -> World:
    """A group with a node, its child and its item; groups are a seed set of their own, which is left out."""
    state = groups(a=1)
    state["nodes"] = {node_id("x", "a"): node("x", "a"), node_id("y", "a"): node("y", "a", parent="x")}
    item = {"node_id": node_id("x", "a"), "name": "i", "amount": 1.0}
    state["items"] = {item_id(node_id("x", "a"), "i"): item}
    world = make(([state], 99, [False]))
    world.given["seed_sets"] = "nodes"
    return world


def test_a_set_without_its_parents_set_is_refused_in_a_sentence(parted: World) -> None:
    parted.install_schema()
    before = parted.content()
    with pytest.raises(ConflictError) as refusal:
        parted.upgrade()
    assert str(refusal.value) == (
        "seed set nodes leads to rows of the seed set groups, which is left out and not in the database:"
        " 2 rows cannot come without them; nothing was written\n"
        "  ask for all of them: -x seed_sets=groups,nodes"
    )
    assert parted.content() == before
    parted.given["seed_sets"] = "groups,nodes"
    parted.upgrade()


def test_where_a_policy_settles_it_the_sentence_stands_before_the_conflicts(
    parted: World, caplog: pytest.LogCaptureFixture
) -> None:
    parted.upgrade("head", "keep")
    said = [one.getMessage() for one in caplog.records if one.name.startswith("seedrail.merge")]
    assert said[0].startswith("seed set nodes leads to rows of the seed set groups, which is left out")


def test_a_parent_that_somebody_deleted_is_a_conflict_as_ever(parted: World) -> None:
    parted.given["seed_sets"] = "groups"
    parted.upgrade()
    parted.database.execute("DELETE FROM groups")
    parted.given["seed_sets"] = "nodes"
    with pytest.raises(ConflictError, match="unlinked: nodes"):
        parted.upgrade()


@pytest.mark.parametrize("policy", ["keep", "overwrite"])
def test_what_leads_to_a_row_that_is_left_out_for_its_own_link_is_left_out_too(
    parted: World, policy: str
) -> None:
    parted.upgrade("head", policy)
    assert [parted.database.scalar(f"SELECT count(*) FROM {name}") for name in ("nodes", "items")] == [0, 0]
    parted.downgrade("seed_base", policy)
    parted.given.clear()
    parted.upgrade()
    assert [parted.database.scalar(f"SELECT count(*) FROM {name}") for name in ("nodes", "items")] == [2, 1]
