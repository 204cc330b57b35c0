"""A ledger of outcomes, as version 1 had it, becomes one of claims in the transaction of the next run."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from seedrail.merge.ledger import NO_ROW, seed_claims
from seedrail.merge.write.bring_over import OLD_LEDGER
from tests.laws.test_optional_links import NOTHING, state
from tests.laws.world import GROUPS, Make, World, group_id, user_id

A, MINE, U = UUID(group_id("a")), UUID(int=7), UUID(user_id("u"))

Entry = tuple[UUID, str, int, str, UUID | None, Any]
"""Seed id, column, position, outcome, live id, pre-image."""


def aged(world: World, *entries: Entry) -> None:
    """Give a world the ledger of version 1, with some entries of the table `groups`."""
    names = ("seed_id", "column_name", "position", "outcome", "live_id", "pre_image")
    kept = sa.String() if world.database.kind == "postgresql" else sa.LargeBinary()
    with world.database.engine.begin() as connection:
        connection.execute(sa.schema.DropTable(seed_claims))
        connection.execute(CreateTable(OLD_LEDGER))
        for entry in entries:
            row = dict(zip(names, entry, strict=True))
            value = row.pop("pre_image")
            # SQLite kept values as they were, of whatever type.
            stored = sa.null() if value is None else sa.type_coerce(sa.literal_column(repr(value)), kept)
            connection.execute(sa.insert(OLD_LEDGER).values(table_name="groups", pre_image=stored, **row))


def claims(world: World) -> list[tuple[Any, ...]]:
    """The claims: seed id, column, position, value as text, who stands on top, live id."""
    c = seed_claims.c
    value = sa.cast(c.value, sa.Text())
    rows = sa.select(c.seed_id, c.column_name, c.position, value, c.stands, c.live_id).order_by(c.ordinal)
    with world.database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(rows)]


def stored(world: World, id_: UUID) -> str:
    """An id as the database keeps it."""
    return str(id_) if world.database.kind == "postgresql" else id_.hex


def begin(make: Make, *states: Any) -> World:
    world = make((list(states), 99, [False] * len(states)))
    world.install_schema()
    return world


@pytest.mark.long_on("postgresql")
def test_each_outcome_becomes_a_claim_and_the_old_ledger_goes(make: Make) -> None:
    world = begin(make, *[state(size=number) for number in range(1, 9)])
    world.upgrade()
    ids = [UUID(int=number) for number in range(1, 12)]
    aged(
        world,
        (ids[0], "", 1, "adopted", MINE, None),
        (ids[0], "size", 1, "changed", MINE, "5"),
        (ids[1], "", 4, "released", MINE, None),
        (ids[1], "size", 2, "restored", MINE, "6"),
        (ids[2], "size", 3, "same", None, "7"),
        (ids[3], "", 3, "kept", None, None),
        (ids[3], "size", 2, "kept", None, "8"),
        (ids[4], "size", 2, "overwritten", None, "9"),
        (ids[5], "size", 2, "discarded", None, "9"),
        (ids[6], "", 2, "absent", None, None),
        (ids[7], "", 2, "revived", None, None),
        (ids[8], "owner_id", 2, "cut", None, None),
        (ids[9], "owner_id", 2, "stand-in", U, None),
        (NO_ROW, "owner_id", 2, "stand-in", U, None),
        (NO_ROW, "owner_id", 5, "stand-in", None, None),
    )
    world.upgrade()
    assert "seed_ledger" not in world.database.tables()
    u = stored(world, U)
    assert sorted(claims(world), key=repr) == sorted(
        [
            (ids[0], "", 1, "present", "owner", MINE),
            (ids[0], "size", 1, "5", "seed", None),
            (ids[1], "", 2, "present", "owner", MINE),
            (ids[1], "size", 2, "6", "seed", None),
            (ids[1], "", 4, "present", "owner", MINE),
            (ids[2], "size", 3, "7", "owner", None),
            (ids[3], "", 3, "present", "owner", None),
            (ids[3], "size", 2, "8", "owner", None),
            (ids[4], "size", 2, "9", "seed", None),
            (ids[6], "", 2, "absent", "owner", None),
            (ids[7], "", 2, "absent", "seed", None),
            (ids[8], "owner_id", 2, None, "cut", None),
            (ids[9], "owner_id", 2, u, "cut", None),
            (NO_ROW, "owner_id", 2, u, "cut", None),
            (NO_ROW, "owner_id", 5, None, "cut", None),
        ],
        key=repr,
    )


@pytest.mark.long_on("postgresql")
def test_claims_stand_in_the_order_in_which_the_old_engine_met_them(make: Make) -> None:
    world = begin(make, state())
    aged(
        world,
        (A, "", 4, "released", MINE, None),
        (A, "size", 3, "restored", MINE, "6"),
        (A, "size", 2, "restored", MINE, "5"),
    )
    world.upgrade("seed_0001", "keep")
    found = [(column, position, value) for _, column, position, value, _, _ in claims(world)]
    assert found[:4] == [("", 2, "present"), ("size", 2, "5"), ("size", 3, "6"), ("", 4, "present")]


@pytest.mark.parametrize("way", ["down", "check"])
@pytest.mark.long_on("sqlite")
def test_a_row_that_the_old_engine_adopted_goes_back_to_its_owner(make: Make, way: str) -> None:
    world = begin(make, state(size=2), state(size=3))
    with world.user() as connection:
        connection.execute(sa.insert(GROUPS).values(id=MINE, name="a", size=9))
    world.upgrade("head", "overwrite")
    aged(world, (A, "", 1, "adopted", MINE, None), (A, "size", 1, "changed", MINE, "9"))
    if way == "check":
        world.upgrade()
    world.downgrade()
    assert world.database.rows("SELECT name, size FROM groups") == [("a", 9)]
    assert claims(world) == []


@pytest.mark.long_on("postgresql")
def test_a_row_that_the_old_engine_gave_back_comes_under_the_seed_again(make: Make) -> None:
    world = begin(make, state(size=2), NOTHING)
    with world.user() as connection:
        connection.execute(sa.insert(GROUPS).values(id=MINE, name="a", size=9))
    world.upgrade("head", "overwrite")
    aged(world, (A, "", 2, "released", MINE, None), (A, "size", 1, "restored", MINE, "9"))
    world.downgrade("seed_0001")
    assert world.database.rows("SELECT name, size FROM groups") == [("a", 2)]
    world.downgrade()
    assert world.database.rows("SELECT name, size FROM groups") == [("a", 9)]


@pytest.mark.long_on("postgresql")
def test_a_refused_run_leaves_the_old_ledger(make: Make) -> None:
    world = begin(make, state(size=2), state(size=3))
    world.upgrade("seed_0001")
    aged(world)
    with world.user() as connection:
        connection.execute(sa.update(GROUPS).values(size=8))
    before = world.database.content(ledger=True)
    with pytest.raises(Exception, match="size was changed to '8'"):
        world.upgrade()
    assert world.database.content(ledger=True) == before
    assert "seed_ledger" in world.database.tables()
