"""Worlds in which a law once failed, each under the name of what it showed."""

from typing import Any

from tests.laws.strategies import Edit
from tests.laws.users import apply_edits
from tests.laws.world import Make, World, group_id, node_id


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
