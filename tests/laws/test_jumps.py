"""A way down in one jump ends as one in steps, also past a change that is taken back by a later one.

To a jump past both revisions nothing changed, be it a column that returns to its value or a row that is
deleted and comes back. What people did meanwhile is known to the ledger alone.
"""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from seedrail import ConflictError
from tests.laws.strategies import Edit
from tests.laws.test_found import groups, node
from tests.laws.test_optional_links import NOTHING, add_users, edit, own_group, owner, state
from tests.laws.users import OWN, apply_edits
from tests.laws.world import GROUPS, Make, World, node_id, user_id

# Each is a history with several policies.
pytestmark = pytest.mark.long


class NotReadyError(Exception):
    """A scene is not what its test is about."""


def expect(what: Any, wanted: Any) -> None:
    """Be sure of a scene before the question is asked."""
    if what != wanted:
        raise NotReadyError(f"{what!r} instead of {wanted!r}")


def begin(make: Make, *states: Any) -> World:
    """A world at seed_base, with a user."""
    world = make((list(states), 99, [False] * len(states)))
    world.install_schema()
    add_users(world, "u")
    return world


def sizes(world: World) -> list[int | None]:
    """The size of the group, if it is there."""
    return [row[0] for row in world.database.rows("SELECT size FROM groups")]


def down(world: World, way: str, target: int, policy: str = "abort") -> None:
    """Down from the head, in one jump or a revision at a time."""
    stops = [target] if way == "jump" else range(len(world.states) - 1, target - 1, -1)
    for stop in stops:
        world.downgrade(world.revision(stop), policy)


def delete(world: World) -> None:
    with world.user() as connection:
        connection.execute(sa.delete(GROUPS))


WAYS = pytest.mark.parametrize("way", ["steps", "jump"])


# -- a value that changes and returns --------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("policies", [("overwrite", "abort"), ("keep", "overwrite")], ids="-".join)
def test_a_value_comes_back_past_a_column_that_changed_and_returned(
    make: Make, policies: tuple[str, str], way: str
) -> None:
    world = begin(make, state(), state(size=2), state())
    world.upgrade("seed_0001")
    edit(world, size=9)
    world.upgrade("seed_0002", policies[0])
    world.upgrade("head", policies[1])
    expect(sizes(world), [1])
    down(world, way, 1)
    assert sizes(world) == [9]


@WAYS
def test_a_cleared_owner_stays_cleared_past_one_who_came_and_went(make: Make, way: str) -> None:
    world = begin(make, state("u"), state("v"), state("u"))
    add_users(world, "v")
    world.upgrade("seed_0001")
    edit(world, owner_id=None)
    world.upgrade("seed_0002", "overwrite")
    world.upgrade()
    expect(owner(world), "u")
    down(world, way, 1)
    assert owner(world) is None


@WAYS
def test_a_group_that_was_brought_back_goes_again_past_a_value_that_returned(make: Make, way: str) -> None:
    world = begin(make, state(), state(size=2), state())
    world.upgrade("seed_0001")
    delete(world)
    world.upgrade("seed_0002", "overwrite")
    world.upgrade()
    expect(sizes(world), [1])
    down(world, way, 1)
    assert sizes(world) == []


# -- a row that is deleted and comes back ----------------------------------------------------------


@WAYS
def test_a_value_that_a_delete_overwrote_comes_back(make: Make, way: str) -> None:
    world = begin(make, state(), NOTHING, state())
    world.upgrade("seed_0001")
    edit(world, size=9)
    world.upgrade("seed_0002", "overwrite")
    expect(sizes(world), [])
    world.upgrade()
    expect(sizes(world), [1])
    down(world, way, 1)
    assert sizes(world) == [9]


@WAYS
def test_a_value_comes_back_in_a_column_that_the_return_did_not_change(make: Make, way: str) -> None:
    world = begin(make, state(), NOTHING, state(size=2))
    world.upgrade("seed_0001")
    edit(world, owner_id=UUID(user_id("u")))
    world.upgrade("seed_0002", "overwrite")
    world.upgrade()
    expect((sizes(world), owner(world)), ([2], None))
    down(world, way, 1)
    assert (sizes(world), owner(world)) == ([1], "u")


@WAYS
def test_a_value_comes_back_in_a_column_that_no_seed_sets(make: Make, way: str) -> None:
    world = begin(make, state(), NOTHING, state(size=2))
    world.database.execute("ALTER TABLE groups ADD COLUMN room VARCHAR(9)")
    world.upgrade("seed_0001")
    world.database.execute("UPDATE groups SET room = 'B12'")
    world.upgrade("seed_0002", "overwrite")
    world.upgrade()
    room = "SELECT room FROM groups"
    expect(world.database.scalar(room), None)
    down(world, way, 1)
    assert world.database.scalar(room) == "B12"


@WAYS
def test_a_value_that_an_update_overwrote_comes_back(make: Make, way: str) -> None:
    world = begin(make, state(), state(size=2), NOTHING, state())
    world.upgrade("seed_0001")
    edit(world, size=9)
    world.upgrade("seed_0002", "overwrite")
    expect(sizes(world), [2])
    world.upgrade("seed_0003")
    world.upgrade()
    down(world, way, 1)
    assert sizes(world) == [9]


@WAYS
def test_a_value_that_an_update_kept_comes_back(make: Make, way: str) -> None:
    world = begin(make, state(), state(size=2), NOTHING, state())
    world.upgrade("seed_0001")
    edit(world, size=9)
    world.upgrade("seed_0002", "keep")
    expect(sizes(world), [9])
    world.upgrade("seed_0003", "overwrite")
    world.upgrade()
    expect(sizes(world), [1])
    down(world, way, 1)
    assert sizes(world) == [9]


@WAYS
def test_a_group_that_a_user_deleted_stays_deleted(make: Make, way: str) -> None:
    world = begin(make, state(), NOTHING, state())
    world.upgrade("seed_0001")
    delete(world)
    world.upgrade("seed_0002")
    world.upgrade()
    expect(sizes(world), [1])
    down(world, way, 1)
    assert sizes(world) == []


@WAYS
def test_a_group_that_a_user_deleted_and_a_revision_brought_back_goes_again(make: Make, way: str) -> None:
    world = begin(make, state(), state(size=2), NOTHING, state())
    world.upgrade("seed_0001")
    delete(world)
    world.upgrade("seed_0002", "overwrite")
    expect(sizes(world), [2])
    world.upgrade("seed_0003")
    world.upgrade()
    down(world, way, 1)
    assert sizes(world) == []


# -- a row that was somebody's before --------------------------------------------------------------


def taken_again(make: Make, first: str, *between: Any) -> World:
    """Somebody's group came under the seed, went back to its owner, was changed, and is the seed's again."""
    world = begin(make, state(size=2), *between, state(size=2))
    own_group(world)
    world.upgrade("seed_0001", first)
    expect(sizes(world), [2] if first == "overwrite" else [1])
    world.upgrade("seed_0002", first)
    expect(sizes(world), [1])
    edit(world, size=7)
    world.upgrade("head", "overwrite")
    expect(sizes(world), [2])
    return world


@WAYS
@pytest.mark.parametrize("first", ["keep", "overwrite"])
def test_a_group_that_is_taken_again_gets_back_what_its_owner_wrote_meanwhile(
    make: Make, first: str, way: str
) -> None:
    world = taken_again(make, first, NOTHING)
    down(world, way, 1, "keep")
    assert sizes(world) == [7]


@pytest.mark.parametrize("way", ["steps", "jump"])
@pytest.mark.parametrize("first", ["keep", "overwrite"])
def test_a_group_that_is_taken_again_goes_back_to_its_owner_at_the_bottom(
    make: Make, first: str, way: str
) -> None:
    world = taken_again(make, first, NOTHING)
    down(world, way, 0, "keep")
    assert sizes(world) == [7]


# -- what a jump has passed by ---------------------------------------------------------------------


@WAYS
def test_a_link_is_no_edit_where_a_jump_passed_by_its_return(make: Make, way: str) -> None:
    """It was cut, then led to somebody who is there, then nowhere: a jump up never set it."""
    world = begin(make, state("w"), state("u"), state())
    world.upgrade("seed_0001")
    world.upgrade("head")
    down(world, way, 2)
    expect(owner(world), "u")
    world.downgrade("seed_base", "abort")
    assert sizes(world) == []


@WAYS
def test_a_link_is_no_edit_in_a_second_life_that_a_jump_passed_by(make: Make, way: str) -> None:
    world = begin(make, state("w"), NOTHING, state("u"), NOTHING)
    world.upgrade("seed_0001")
    world.upgrade("head")
    down(world, way, 3)
    expect(owner(world), "u")
    world.downgrade("seed_base", "abort")
    assert sizes(world) == []


@WAYS
def test_what_was_decided_of_a_row_before_its_second_life_is_not_asked_again(make: Make, way: str) -> None:
    """It was there first, went back to its owner, and was adopted once more: all in one jump up."""
    world = begin(make, state(), NOTHING, state(size=2))
    own_group(world)
    edit(world, size=9)
    world.upgrade("head", "keep")
    down(world, way, 1)
    assert sizes(world) == [9]
    assert world.database.scalar("SELECT count(*) FROM seed_claims WHERE position > 1") == 0


def test_a_row_that_only_passed_is_not_remembered_as_gone(make: Make) -> None:
    """At a stop on the way down it was left out, which nobody may take for somebody's wish."""
    between = groups(a=1)
    between["nodes"] = {node_id("x", "a"): node("x", "a")}
    world = begin(make, NOTHING, between, groups(b=1))
    with world.user() as connection:
        theirs = [{"id": uuid4(), "name": name, "size": 1} for name in "ab"]
        connection.execute(sa.insert(GROUPS), theirs)
    world.upgrade("head")
    world.downgrade("seed_0001")
    assert world.database.rows("SELECT * FROM seed_claims") == []
    world.upgrade("seed_0002")
    assert world.database.scalar("SELECT count(*) FROM nodes") == 1


@pytest.mark.parametrize("policy", ["abort", "keep", "overwrite"])
def test_a_row_made_anew_in_place_of_the_seeds_own_is_somebodys(make: Make, policy: str) -> None:
    """That a link of the one before was cut makes it nobody's either."""
    world = begin(make, state("w"), state("w", size=2))
    world.upgrade("head")
    delete(world)
    own_group(world)
    edit(world, size=9)
    if policy == "abort":
        with pytest.raises(ConflictError, match="deleted: groups"):
            world.downgrade("seed_0001", policy)
    else:
        world.downgrade("seed_0001", policy)
    assert sizes(world) == [9]


@pytest.mark.parametrize("hold", ["a node", "an edit"])
@pytest.mark.parametrize(("way", "left"), [("steps", 1), ("jump", 2)])
def test_a_row_that_has_to_stay_keeps_the_values_of_the_seed_that_the_move_found(
    make: Make, way: str, left: int, hold: str
) -> None:
    """Nobody's value is lost; of the seed's own, a jump does not go through those that lie between."""
    world = begin(make, state(), state(size=2))
    world.upgrade("head")
    if hold == "a node":
        apply_edits(world, [Edit("add node", 0, 0)])
    else:
        edit(world, name="mine")
    down(world, way, 0, "keep")
    assert sizes(world) == [left]


# -- whose row it is ------------------------------------------------------------------------------


def test_an_equal_row_that_somebody_made_is_not_taken_for_the_seeds_own_in_a_second_life(make: Make) -> None:
    """The ledger knows of a life in which it was somebody's; in this one it was the seed's."""
    world = begin(make, state(), NOTHING, state())
    own_group(world)
    world.upgrade("seed_0001")
    world.upgrade("seed_0002")
    delete(world)
    world.upgrade()
    expect(
        world.database.scalar("SELECT count(*) FROM seed_claims WHERE position = 3 AND stands = 'seed'"), 1
    )
    delete(world)
    own_group(world)
    world.downgrade("seed_0002")
    assert sizes(world) == [1]


def test_a_row_that_came_back_under_an_old_id_is_not_the_seeds(make: Make) -> None:
    """Its owner deleted it, the policy brought the seed's own, and the owner restored theirs, renamed."""
    world = begin(make, state(), state(size=2), state(size=3))
    own_group(world)
    world.upgrade("seed_0001")
    delete(world)
    world.upgrade("seed_0002", "overwrite")
    with world.user() as connection:
        connection.execute(sa.insert(GROUPS).values(id=OWN, name="mine", size=2))
    world.upgrade()
    named = world.database.rows("SELECT name, size FROM groups ORDER BY name")
    assert list(map(tuple, named)) == [("a", 3), ("mine", 2)]


@WAYS
def test_a_link_that_was_whole_again_is_no_edit_in_a_row_that_comes_back(make: Make, way: str) -> None:
    """The jump up passed by the revision that made it whole, and by the one that deleted its row."""
    world = begin(make, state("nobody"), state("u"), NOTHING)
    world.upgrade("seed_0001")
    world.upgrade()
    world.downgrade("seed_0002")
    expect(owner(world), "u")
    for at in (1, 0) if way == "steps" else (0,):
        world.downgrade(world.revision(at))
    assert sizes(world) == []
