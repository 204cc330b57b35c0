"""The laws' small world as a scene for single tests: few rows, every command in this process."""

from pathlib import Path
from typing import Any

from tests.laws.world import World, group_id, item_id, node_id
from tests.support.databases import Database


def state(groups: dict[str, int], nodes: tuple[str, ...] = (), items: dict[str, float] | None = None) -> Any:
    """A seed state: groups with their sizes, nodes in the group `a`, items with their amounts at node `n`."""
    return {
        "groups": {group_id(name): {"name": name, "size": size} for name, size in groups.items()},
        "nodes": {
            node_id(name, "a"): {
                "name": name,
                "group_id": group_id("a"),
                "parent_id": None,
                "slot": None,
                "body": None,
                "hits": 0,
            }
            for name in nodes
        },
        "items": {
            item_id(node_id("n", "a"), name): {"node_id": node_id("n", "a"), "name": name, "amount": amount}
            for name, amount in (items or {}).items()
        },
    }


def world_of(database: Database, directory: Path, *states: Any) -> World:
    """A world with its schema and ledger, and no seed row yet."""
    world = World(database, directory / "history", states)
    world.write_history()
    world.install_schema()
    return world


def before_the_end(script: str, *statements: str) -> str:
    """A script with more statements at the end of its transaction."""
    head, commit, tail = script.rpartition("COMMIT;")
    assert commit
    return head + "".join(f"{statement};\n" for statement in statements) + commit + tail
