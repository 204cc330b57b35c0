"""Worlds in which a law once failed, each under the name of what it showed."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from seedrail import ConflictError, SeedError
from tests.laws.strategies import Edit
from tests.laws.users import OWN, apply_edits
from tests.laws.world import GROUPS, ITEMS, NODES, Make, World, group_id, node_id

# Each costs seconds, and the random laws of `make test` look for their kind.
pytestmark = pytest.mark.long


def groups(**sizes: int) -> dict[str, Any]:
    return {
        "groups": {group_id(name): {"name": name, "size": size} for name, size in sizes.items()},
        "nodes": {},
        "items": {},
    }


def node(name: str, group: str, parent: str | None = None) -> dict[str, Any]:
    link = node_id(parent, group) if parent else None
    return {
        "name": name,
        "group_id": group_id(group),
        "parent_id": link,
        "slot": None,
        "body": None,
        "hits": 0,
    }


def sizes(world: World) -> dict[str, int]:
    return dict(map(tuple, world.database.rows("SELECT name, size FROM groups")))


def test_a_row_that_was_released_and_returned_is_there_below_its_return(make: Make) -> None:
    history = [groups(a=1, b=1), groups(b=1), groups(a=2, b=1)]
    world = make((history, 99, [False, True, False]))
    world.upgrade()
    assert sizes(world) == {"a": 2, "b": 1}
    world.downgrade("seed_0002")
    assert sizes(world) == {"a": 1, "b": 1}
    world.downgrade("seed_0001")
    world.upgrade("seed_0002")
    world.upgrade()
    assert sizes(world) == {"a": 2, "b": 1}
    world.downgrade()
    assert sizes(world) == {}


def test_a_link_that_the_seed_set_in_a_users_row_does_not_hold_its_target(make: Make) -> None:
    state = groups(a=1)
    state["nodes"] = {node_id("w", "a"): node("w", "a"), node_id("y", "a"): node("y", "a", parent="w")}
    world = make(([state], 99, [False]))
    world.install_schema()
    apply_edits(world, [Edit("add group", 0, 1), Edit("add node", 1, 0)])
    before = world.content()
    world.upgrade("head", "overwrite")
    linked = "SELECT count(*) FROM nodes WHERE parent_id IS NOT NULL"
    assert world.database.scalar(linked) == 1
    world.downgrade("seed_base", "abort")
    assert world.content() == before


def own_group(world: World, name: str = "a") -> None:
    with world.user() as connection:
        connection.execute(sa.insert(GROUPS).values(id=OWN, name=name, size=1))


def own_node(world: World, number: int, name: str, parent: int | None = None) -> None:
    link = None if parent is None else own_id(parent)
    with world.user() as connection:
        values = {"id": own_id(number), "name": name, "group_id": OWN, "parent_id": link}
        connection.execute(sa.insert(NODES).values(values))


def own_id(number: int) -> UUID:
    return UUID(int=OWN.int + number)


def delete_node(world: World, name: str) -> None:
    with world.user() as connection:
        connection.execute(sa.delete(NODES).where(NODES.c.name == name))


def parents(world: World) -> dict[str, Any]:
    with world.database.engine.connect() as connection:
        return dict(map(tuple, connection.execute(sa.select(NODES.c.name, NODES.c.parent_id))))


def test_a_row_does_not_get_back_a_link_to_a_row_that_is_gone(make: Make) -> None:
    state = groups(a=1)
    state["nodes"] = {node_id("x", "a"): node("x", "a")}
    world = make(([state], 99, [False]))
    world.install_schema()
    own_group(world)
    own_node(world, 1, "mine")
    own_node(world, 2, "x", parent=1)
    world.upgrade("head", "overwrite")
    assert parents(world) == {"mine": None, "x": None}
    delete_node(world, "mine")
    with pytest.raises(ConflictError, match=r"unlinked: nodes .*parent_id leads to a row that is not there"):
        world.downgrade("seed_base", "abort")
    world.downgrade("seed_base", "keep")
    assert parents(world) == {"x": None}
    assert world.dangling() == []


def test_a_row_that_gets_back_a_link_keeps_the_row_that_it_leads_to(make: Make) -> None:
    first, then = groups(a=1), groups(a=1)
    first["nodes"] = {node_id("w", "a"): node("w", "a")}
    then["nodes"] = {**first["nodes"], node_id("x", "a"): node("x", "a")}
    world = make(([first, then], 99, [False, False]))
    world.install_schema()
    world.upgrade("seed_0001")
    group, parent = world.database.rows("SELECT group_id, id FROM nodes WHERE name = 'w'")[0]
    link = {
        "parent": parent,
        "group": group,
        "id": own_id(1) if world.database.kind != "sqlite" else own_id(1).hex,
    }
    world.database.execute(
        "INSERT INTO nodes (id, name, group_id, parent_id) VALUES (:id, 'x', :group, :parent)", **link
    )
    world.upgrade("head", "overwrite")
    assert parents(world) == {"w": None, "x": None}
    # What the seed took comes back, and keeps the seed's row: it was somebody's link.
    with pytest.raises(ConflictError, match=r"referenced: nodes .w, a. would be deleted"):
        world.downgrade("seed_base", "abort")
    world.downgrade("seed_base", "overwrite")
    assert {name: str(link).replace("-", "") for name, link in parents(world).items() if link} == {
        "x": str(parent).replace("-", "")
    }
    assert world.dangling() == []


def test_a_users_row_is_not_linked_to_a_row_that_users_deleted(make: Make) -> None:
    first, then = groups(a=1), groups(a=1)
    first["nodes"] = {node_id("w", "a"): node("w", "a")}
    then["nodes"] = {**first["nodes"], node_id("x", "a"): node("x", "a", parent="w")}
    world = make(([first, then], 99, [False, False]))
    world.install_schema()
    own_group(world)
    world.upgrade("seed_0001")
    delete_node(world, "w")
    own_node(world, 1, "x")
    before = world.content()
    with pytest.raises(ConflictError):
        world.upgrade("head", "abort")
    world.upgrade("head", "overwrite")
    assert parents(world) == {"x": None}
    world.downgrade("seed_0001", "abort")
    after = world.content()
    assert {**after, "alembic_version": []} == {**before, "alembic_version": []}


def test_a_row_that_was_kept_goes_with_the_revision_that_brought_it(make: Make) -> None:
    first, second, third = groups(a=1), groups(a=1), groups(a=1)
    first["nodes"] = {node_id("x", "a"): node("x", "a")}
    second["nodes"] = {node_id("x", "a"): {**node("x", "a"), "body": {"k": 1}}}
    world = make(([first, second, third], 99, [False] * 3))
    world.install_schema()
    world.upgrade("seed_0002")
    own = {"id": OWN, "node_id": UUID(node_id("x", "a")), "name": "mine", "amount": 0.5}
    with world.user() as connection:
        connection.execute(sa.insert(ITEMS).values(own))
    world.upgrade("head", "keep")
    assert parents(world) == {"x": None}
    world.downgrade("seed_0001", "abort")
    with world.database.engine.connect() as connection:
        assert connection.scalar(sa.select(NODES.c.body)) is None
    with world.user() as connection:
        connection.execute(sa.delete(ITEMS))
    world.upgrade("head")
    assert parents(world) == {}


def test_a_row_that_was_kept_is_taken_back_with_all_else_in_one_run(make: Make) -> None:
    first, second = groups(a=1), groups(a=1)
    first["nodes"] = {node_id("x", "a"): node("x", "a")}
    world = make(([first, second], 99, [False, False]))
    world.install_schema()
    before = world.content()
    world.upgrade("seed_0001")
    edit = sa.update(NODES).values(body={"mine": True})
    with world.user() as connection:
        connection.execute(edit)
    world.upgrade("head", "keep")
    assert parents(world) == {"x": None}
    assert not world.run_script(world.script("downgrade", "seed_0002:seed_base"))
    with pytest.raises(ConflictError, match="its body was changed"):
        world.downgrade("seed_base", "abort")
    with world.user() as connection:
        connection.execute(edit.values(body=sa.null()))
    world.downgrade("seed_base", "abort")
    assert world.content() == before


def test_a_link_that_a_way_down_had_to_leave_empty_is_no_users_edit(make: Make) -> None:
    first, second, third = groups(a=1, b=1), groups(a=1, b=1), groups(b=1)
    first["nodes"] = {node_id("x", "a"): node("x", "a"), node_id("w", "b"): node("w", "b")}
    first["nodes"][node_id("w", "b")]["parent_id"] = node_id("x", "a")
    third["nodes"] = {node_id("w", "b"): node("w", "b")}
    world = make(([first, second, third], 99, [True, True, False]))
    world.install_schema()
    before = world.content()
    for _ in range(2):
        world.upgrade("head", "overwrite")
        # Released rows whose group is deleted by the same move do not come at all.
        assert parents(world) == {"w": None}
        world.downgrade("seed_0001", "overwrite")
        assert parents(world) == {"w": None}
    world.downgrade("seed_base", "abort")
    assert world.content() == before


def test_a_released_row_that_comes_keeps_the_one_that_would_go_in_the_same_run(make: Make) -> None:
    first, second, third, last = groups(a=1, c=1), groups(a=1, c=1), groups(a=1, c=1), groups(a=1)
    second["nodes"] = {node_id("y", "c"): node("y", "c")}
    world = make(([first, second, third, last], 99, [False, False, True, False]))
    world.install_schema()
    before = world.content()
    world.upgrade("seed_0001")
    with pytest.raises(ConflictError, match=r"referenced: groups .c. would be deleted"):
        world.upgrade("head", "abort")
    world.upgrade("head", "overwrite")
    assert parents(world) == {"y": None}
    assert world.dangling() == []
    world.downgrade("seed_base", "abort")
    assert world.content() == before


def brought_back(make: Make, *states: Any) -> World:
    """Somebody's group came under the seed, its owner deleted it, and seed_0002 brought it back."""
    world = make((list(states), 99, [False] * len(states)))
    world.install_schema()
    own_group(world)
    world.upgrade("seed_0001", "keep")
    with world.user() as connection:
        connection.execute(sa.delete(GROUPS).where(GROUPS.c.name == "a"))
    world.upgrade("seed_0002", "overwrite")
    return world


def test_a_row_that_was_brought_back_for_an_owner_goes_with_its_revision(make: Make) -> None:
    world = brought_back(make, groups(a=0), groups(a=2))
    assert sizes(world) == {"a": 2}
    world.downgrade("seed_0001")
    assert sizes(world) == {}
    world.downgrade()
    assert sizes(world) == {}


def test_a_row_that_was_brought_back_for_an_owner_is_updated(make: Make) -> None:
    world = brought_back(make, groups(a=0), groups(a=2), groups(a=3))
    world.upgrade()
    assert sizes(world) == {"a": 3}
    world.downgrade("seed_0002")
    assert sizes(world) == {"a": 2}
    world.downgrade()
    assert sizes(world) == {}


def test_a_row_that_was_brought_back_for_an_owner_is_deleted(make: Make) -> None:
    world = brought_back(make, groups(a=0, b=1), groups(a=2, b=1), groups(b=1))
    world.upgrade()
    assert sizes(world) == {"b": 1}
    world.downgrade("seed_0002")
    assert sizes(world) == {"a": 2, "b": 1}
    world.downgrade("seed_0001")
    assert sizes(world) == {"b": 1}
    world.downgrade()
    assert sizes(world) == {}


def test_a_row_finds_a_parent_that_was_brought_back_for_an_owner(make: Make) -> None:
    first, second, third = groups(a=0), groups(a=2), groups(a=2)
    third["nodes"] = {node_id("x", "a"): node("x", "a")}
    world = brought_back(make, first, second, third)
    world.upgrade()
    assert parents(world) == {"x": None}
    world.downgrade("seed_0002")
    assert parents(world) == {}
    assert sizes(world) == {"a": 2}


@pytest.mark.parametrize("policy", ["keep", "overwrite"])
def test_an_owner_who_deleted_an_adopted_row_does_not_get_it_back(make: Make, policy: str) -> None:
    world = make(([groups(a=0, b=1), groups(b=1), groups(a=2, b=1)], 99, [False] * 3))
    world.install_schema()
    own_group(world)
    world.upgrade("seed_0001", policy)
    with world.user() as connection:
        connection.execute(sa.delete(GROUPS).where(GROUPS.c.name == "a"))
    world.upgrade("seed_0002")
    world.downgrade("seed_0001")
    assert sizes(world) == {"b": 1}
    world.upgrade("seed_0002")
    world.upgrade()
    assert sizes(world) == {"a": 2, "b": 1}
    world.downgrade("seed_0002")
    world.downgrade("seed_0001")
    assert sizes(world) == {"b": 1}
    world.downgrade()
    assert sizes(world) == {}


@pytest.mark.parametrize("policy", ["keep", "overwrite"])
def test_a_row_that_a_jump_up_passed_by_is_asked_about_at_no_stop_on_the_way_down(
    make: Make, policy: str
) -> None:
    world = make(([groups(a=1), groups(c=1)], 99, [False] * 2))
    world.install_schema()
    with world.user() as connection:
        for number, name in enumerate("ac"):
            connection.execute(sa.insert(GROUPS).values(id=UUID(int=number), name=name, size=7))
    before = world.content()
    world.upgrade("head", policy)
    world.downgrade("seed_base", "abort")
    assert world.content() == before


def test_a_row_that_a_way_down_only_passes_takes_nobodys_unique_value(make: Make) -> None:
    first = groups(b=1)
    first["nodes"] = {node_id("x", "b"): node("x", "b") | {"slot": "s1"}}
    world = make(([first, groups(a=1)], 99, [False] * 2))
    world.install_schema()
    own_group(world)
    with world.user() as connection:
        connection.execute(sa.insert(NODES).values(id=UUID(int=5), name="mine", group_id=OWN, slot="s1"))
    before = world.content()
    world.upgrade("head")
    world.downgrade("seed_base", "abort")
    assert world.content() == before


@pytest.mark.parametrize("policy", ["keep", "overwrite"])
def test_a_row_that_was_given_the_name_of_one_to_come_is_not_taken_for_it(make: Make, policy: str) -> None:
    """The one that comes finds its name taken, if the other is kept; else that makes way for it."""
    world = make(([groups(c=0), groups(a=1)], 99, [False] * 2))
    world.install_schema()
    world.upgrade("seed_0001")
    with world.user() as connection:
        connection.execute(sa.update(GROUPS).values(name="a"))
    before = world.content()
    if policy == "keep":
        with pytest.raises(SeedError, match="the database refused the seed"):
            world.upgrade("head", policy)
    else:
        world.upgrade("head", policy)
        assert world.database.rows("SELECT name, size FROM groups") == [("a", 1)]
        world.downgrade("seed_0001")
    assert world.content() == before
