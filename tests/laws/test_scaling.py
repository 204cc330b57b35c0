"""A move's work grows with its rows and not with their square, whatever users did to them.

Work is counted by the database: SQLite's instructions, the rows that PostgreSQL read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from seedrail import ConflictError
from tests.laws.users import OWN
from tests.laws.world import GROUPS, ITEMS, NODES, Make, World, group_id, item_id, node_id

FEW = 150
TIMES = 4
LEAST, MOST = 2, 6
"""How much more work so many times the rows may be: 4 is linear, 16 quadratic."""


def state(count: int, edition: int) -> dict[str, Any]:
    """Nodes under each other, with two items each; every row of another edition differs."""
    nodes, items = {}, {}
    for number in range(count):
        id_ = node_id(f"n{number}", "a")
        nodes[id_] = {
            "name": f"n{number}",
            "group_id": group_id("a"),
            "parent_id": node_id(f"n{number // 2}", "a") if number > 1 else None,
            "slot": None,
            "body": {"edition": edition},
            "hits": 0,
        }
        for name in ("i", "j"):
            items[item_id(id_, name)] = {"node_id": id_, "name": name, "amount": float(edition)}
    return {"groups": {group_id("a"): {"name": "a", "size": 1}}, "nodes": nodes, "items": items}


@contextmanager
def counted(world: World) -> Iterator[Callable[[], int]]:
    """Counts the work of the runs inside."""
    work = 0
    engine = world.migrating

    def instructions() -> None:
        nonlocal work
        work += 1

    def opened(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(instructions, 100)

    def ends(connection: sa.Connection) -> None:
        nonlocal work
        rows = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
        work += connection.exec_driver_sql(rows).scalar_one()

    events = {"sqlite": [("connect", opened)], "postgresql": [("commit", ends), ("rollback", ends)]}
    listened = events[world.database.kind]
    engine.dispose()
    for one in listened:
        sa.event.listen(engine, *one)
    try:
        yield lambda: work
    finally:
        for one in listened:
            sa.event.remove(engine, *one)


def edit(world: World) -> None:
    """Change a third of the rows."""
    with world.user() as connection:
        connection.execute(sa.update(NODES).where(NODES.c.name.like("%3%")).values(body={"mine": True}))
        connection.execute(sa.update(ITEMS).where(ITEMS.c.name == "j").values(amount=-1.0))


def own(world: World, count: int) -> None:
    """Insert rows with the natural keys that the seed wants, and other values."""
    ids = [UUID(int=OWN.int + number) for number in range(3 * count)]
    with world.user() as connection:
        connection.execute(sa.insert(GROUPS).values(id=OWN, name="a", size=2))
        rows = [{"id": ids[n], "name": f"n{n}", "group_id": OWN, "body": {"mine": n}} for n in range(count)]
        connection.execute(sa.insert(NODES), rows)
        items = [
            {"id": ids[count + 2 * n + i], "node_id": ids[n], "name": "ij"[i], "amount": -1.0}
            for n in range(count)
            for i in (0, 1)
        ]
        connection.execute(sa.insert(ITEMS), items)


def delete(world: World) -> None:
    """Delete half of the items."""
    with world.user() as connection:
        connection.execute(sa.delete(ITEMS).where(ITEMS.c.name == "j"))


def edited(world: World, count: int) -> Iterator[Callable[[], None]]:
    yield world.upgrade
    edit(world)
    for policy in ("keep", "overwrite"):
        yield lambda policy=policy: world.downgrade("seed_base", policy)
        yield lambda: world.upgrade("head", "overwrite")
        edit(world)


def updated(world: World, change: Callable[[World], None]) -> Iterator[Callable[[], None]]:
    yield lambda: world.upgrade("seed_0001")
    change(world)
    for policy in ("keep", "overwrite"):
        yield lambda policy=policy: world.upgrade("head", policy)
        yield lambda: world.downgrade("seed_0001")


def edited_before_an_update(world: World, count: int) -> Iterator[Callable[[], None]]:
    return updated(world, edit)


def deleted(world: World, count: int) -> Iterator[Callable[[], None]]:
    return updated(world, delete)


def adopted(world: World, count: int) -> Iterator[Callable[[], None]]:
    own(world, count)
    for policy in ("keep", "overwrite"):
        yield lambda policy=policy: world.upgrade("head", policy)
        yield world.downgrade


def refused(world: World, count: int) -> Iterator[Callable[[], None]]:
    yield world.upgrade
    edit(world)

    def down() -> None:
        with pytest.raises(ConflictError):
            world.downgrade()

    yield down


SCENES = [edited, edited_before_an_update, adopted, deleted, refused]


def works(make: Make, scene: Any, count: int) -> list[int]:
    """The work of each of a scene's runs."""
    world = make(([state(count, 1), state(count, 2)], 99, [False, False]))
    world.install_schema()
    if world.database.kind == "postgresql":
        # The server analyzes tables when it finds the time, and reads small ones whole from then on: the two
        # sizes would be told apart by what the planner happened to know.
        for table in (GROUPS.name, NODES.name, ITEMS.name, "seed_claims"):
            world.database.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    found = []
    for run in scene(world, count):
        with counted(world) as work:
            run()
            found.append(work())
    return found


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.long
def test_four_times_the_rows_are_four_times_the_work(make: Make, scene: Any) -> None:
    few, many = works(make, scene, FEW), works(make, scene, TIMES * FEW)
    assert few
    for less, more in zip(few, many, strict=True):
        assert LEAST < more / less < MOST, (few, many)
