"""Stand-ins: groups whose owner is unknown get the run's; every law holds whoever that is, run by run."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import assume, given
from hypothesis import strategies as st

from seedrail import OptionError
from tests.laws.strategies import USER_NAMES, Edit, arrivals, edits, histories
from tests.laws.test_laws import POLICIES, Rows, assert_edits_survive, try_to
from tests.laws.test_optional_links import (
    NOTHING,
    A,
    add_users,
    begin,
    edit,
    has_group,
    own_group,
    owner,
    state,
)
from tests.laws.users import apply_edits
from tests.laws.world import GROUPS, USERS, Make, World, user_id

# Each is a history of several commands; `make test` tries the project's own (tests/features/test_owner.py).
pytestmark = pytest.mark.long

OWNERS = st.sampled_from([None, *USER_NAMES])


def delete_user(world: World, name: str) -> None:
    with world.user() as connection:
        connection.execute(sa.delete(USERS).where(USERS.c.id == UUID(user_id(name))))


def owned(make: Make, *states: Any, users: str = "uv") -> World:
    """A world whose runs give groups without an owner to u."""
    world = begin(make, *states, users=users)
    world.owner = "u"
    return world


# -- what a run writes -----------------------------------------------------------------------------


@pytest.mark.parametrize(("named", "got"), [(None, "u"), ("nobody", "u"), ("v", "v")])
def test_a_group_whose_owner_is_unknown_gets_the_runs_and_goes_again(
    make: Make, named: str | None, got: str
) -> None:
    world = owned(make, state(named))
    before = world.content()
    world.upgrade()
    assert owner(world) == got
    world.upgrade()
    world.owner = None
    world.downgrade()
    assert world.content() == before


def test_an_update_to_an_unknown_owner_gets_the_runs(make: Make) -> None:
    world = owned(make, state("v"), state("nobody"), state("v"), state())
    for target, got in (("seed_0001", "v"), ("seed_0002", "u"), ("seed_0003", "v"), ("seed_0004", "u")):
        world.upgrade(target)
        assert owner(world) == got
    for target, got in (("seed_0003", "v"), ("seed_0002", "u"), ("seed_0001", "v")):
        world.downgrade(target)
        assert owner(world) == got


def test_a_stand_in_that_is_not_there_stops_the_run(make: Make) -> None:
    world = begin(make, state())
    before = world.content()
    world.owner = "w"
    with pytest.raises(OptionError, match="no user is called 'w'"):
        world.upgrade()
    assert world.content() == before


def test_a_script_stops_where_the_stand_in_is_not_there_and_writes_it_where_it_is(make: Make) -> None:
    world = owned(make, state("nobody"), state("nobody", size=2), users="")
    world.database.execute("DROP TABLE notes")
    before = world.content()
    script = world.script("upgrade", "seed_base:head")
    assert not world.run_script(script)
    assert world.content() == before
    add_users(world, "u")
    before = world.content()
    assert world.run_script(script)
    assert owner(world) == "u"
    world.owner = None
    assert world.run_script(world.script("downgrade", "seed_0002:seed_base"))
    assert world.content() == before


def test_a_script_stops_at_an_owner_between_two_stand_ins(make: Make) -> None:
    world = owned(make, state(), state("v"), state())
    world.database.execute("DROP TABLE notes")
    seen = []
    for target in ("seed_0001", "seed_0002", "head"):
        world.upgrade(target)
        seen.append(world.content())
    assert world.run_script(world.script("downgrade", "seed_0003:seed_0001"))
    assert world.content() == seen[0]
    world.upgrade()
    assert world.run_script(world.script("downgrade", "seed_0003:seed_0002"))
    assert world.content() == seen[1]


# -- what people do --------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [None, "v"])
def test_another_owner_than_the_stand_in_is_an_edit(make: Make, to: str | None) -> None:
    world = owned(make, state(), state(size=2), state("v"))
    world.upgrade("seed_0002")
    edit(world, owner_id=UUID(user_id(to)) if to else None)
    assert not try_to(world.downgrade)
    world.downgrade("seed_0001")
    world.downgrade("seed_base", "keep")
    assert owner(world) == to


def test_a_stand_in_that_was_deleted_since_is_no_edit(make: Make) -> None:
    world = owned(make, state(), state("v"), NOTHING)
    world.upgrade("seed_0001")
    delete_user(world, "u")
    world.owner = None
    world.upgrade("seed_0002")
    assert owner(world) == "v"
    world.downgrade("seed_0001")
    assert owner(world) is None
    assert try_to(world.downgrade)
    assert not has_group(world)


def test_an_owner_who_comes_after_another_stood_in_for_him_is_no_edit(make: Make) -> None:
    world = owned(make, state("late"))
    world.upgrade()
    add_users(world, ["late"])
    world.owner = None
    world.downgrade()
    assert not has_group(world)


def test_somebodys_group_that_the_stand_in_owns_is_adopted_and_stays(make: Make) -> None:
    world = owned(make, state(), state("v"))
    own_group(world, "u")
    before = world.content()
    world.upgrade("seed_0001")
    world.upgrade()
    assert owner(world) == "v"
    world.downgrade()
    assert world.content() == before


@pytest.mark.parametrize("there", [None, "v"])
def test_somebodys_group_is_not_given_to_the_stand_in(make: Make, there: str | None) -> None:
    world = owned(make, state())
    own_group(world, there, id_=A)
    assert try_to(world.upgrade) == (there is None)
    assert owner(world) == there


# -- another stand-in, run by run ------------------------------------------------------------------


def test_a_way_down_gives_back_the_stand_in_of_its_day(make: Make) -> None:
    world = owned(make, state(), state("nobody", size=2), NOTHING, state())
    seen = []
    for target, asked in (("seed_0001", "u"), ("seed_0002", "v"), ("seed_0003", None), ("head", "v")):
        world.owner = asked
        world.upgrade(target)
        seen.append(world.content()["groups"])
    world.owner = "u"
    for index in (2, 1, 0):
        world.downgrade(world.revision(index + 1))
        assert world.content()["groups"] == seen[index]
    world.downgrade()
    assert not has_group(world)


def test_a_link_left_empty_after_a_stand_in_is_empty_and_a_jump_down_gives_the_first_back(make: Make) -> None:
    world = owned(make, state(), state("v"), state())
    world.upgrade("seed_0001")
    world.owner = None
    world.upgrade("seed_0002")
    world.upgrade()
    assert owner(world) is None
    world.downgrade("seed_0001")
    assert owner(world) == "u"


@given(
    history=histories(),
    before=arrivals,
    policy=POLICIES,
    walk=st.lists(st.tuples(st.integers(0, 4), OWNERS), max_size=6),
)
def test_any_walk_with_any_owners_ends_in_the_database_it_started_from(
    make: Make, history: Any, before: list[Edit], policy: str, walk: list[tuple[int, str | None]]
) -> None:
    world = make(history)
    world.install_schema()
    add_users(world, USER_NAMES)
    apply_edits(world, before)
    start = world.content()
    at = 0
    for stop, asked in walk:
        world.owner = asked
        target = min(stop, len(world.states))
        go = world.upgrade if target >= at else world.downgrade
        if try_to(go, world.revision(target), policy):
            at = target
    if at:
        world.downgrade("seed_base", "abort")
    assert world.content() == start


@pytest.mark.long
@pytest.mark.parametrize("asked", ["u", "v", None])
def test_nobody_stands_in_for_an_owners_empty_link_that_comes_back(make: Make, asked: str | None) -> None:
    """It was kept, and taken when the seed wanted an owner who is there; below that it is theirs again."""
    world = make(([state("nobody"), state("u", size=0)], 99, [False, False]))
    world.install_schema()
    add_users(world, USER_NAMES)
    own_group(world)
    with world.user() as connection:
        connection.execute(sa.update(GROUPS).values(size=2))
    for stop in (2, 1, 2):
        world.owner = asked if stop == 2 else "v"
        (world.downgrade if stop == 1 else world.upgrade)(world.revision(stop), "keep")
    world.downgrade("seed_base", "abort")
    assert world.database.scalar("SELECT owner_id FROM groups") is None


def test_nobody_stands_in_for_an_owners_empty_link_that_a_revision_gives_back(make: Make) -> None:
    """The row leaves the seed, and stays its owner's, on a way up that was asked to fill links."""
    world = make(([state("u"), {"groups": {}, "nodes": {}, "items": {}}], 99, [False, False]))
    world.install_schema()
    add_users(world, USER_NAMES)
    own_group(world)
    start = world.content()
    world.upgrade(world.revision(1), "overwrite")
    world.owner = "v"
    world.upgrade(world.revision(2))
    assert world.content() == start
    world.downgrade("seed_base", "abort")
    assert world.content() == start


@pytest.mark.parametrize("first", ["u", None])
@pytest.mark.parametrize("step", [True, False])
def test_an_owners_empty_link_that_shall_be_empty_is_theirs_again_after_a_stand_in(
    make: Make, first: str | None, step: bool
) -> None:
    """It was kept, or an unknown owner's; then the seed wants nobody, and the run somebody in the place."""
    world = begin(make, state("nobody"), state(), state(size=2), users="uv")
    own_group(world)
    start = world.content()
    world.owner = first
    world.upgrade("seed_0001", "keep")
    seeded = world.content()["groups"]
    world.owner = "v"
    world.upgrade()
    assert owner(world) == "v"
    if step:
        world.downgrade("seed_0001", "abort")
        assert world.content()["groups"] == seeded
    world.downgrade("seed_base", "abort")
    assert world.content() == start


@given(history=histories(), asked=st.lists(OWNERS, min_size=4, max_size=4))
def test_what_a_step_up_wrote_is_there_again_after_the_way_down(
    make: Make, history: Any, asked: list[str | None]
) -> None:
    world = make(history)
    world.install_schema()
    add_users(world, USER_NAMES)
    seen = [world.content()]
    for number in range(1, len(world.states) + 1):
        world.owner = asked[number - 1]
        assume(try_to(world.upgrade, world.revision(number)))
        seen.append(world.content())
    world.owner = None
    names = ("groups", "nodes", "items")
    for number in range(len(world.states) - 1, -1, -1):
        world.downgrade(world.revision(number))
        assert [world.content()[name] for name in names] == [seen[number][name] for name in names]


@given(history=histories(), at=st.integers(1, 4), during=edits, policy=st.sampled_from(["abort", "keep"]),
       asked=st.tuples(OWNERS, OWNERS))  # fmt: skip
def test_edits_survive_whoever_stood_in(
    make: Make, history: Any, at: int, during: list[Edit], policy: str, asked: tuple[str | None, str | None]
) -> None:
    world = make(history)
    world.install_schema()
    add_users(world, USER_NAMES)
    world.owner = asked[0]
    assume(try_to(world.upgrade, world.revision(min(at, len(world.states)))))
    seeded: Rows = world.rows()
    apply_edits(world, during)
    edited = world.rows()
    world.owner = asked[1]
    for go, target in ((world.upgrade, "head"), (world.downgrade, "seed_base")):
        before = world.content()
        if not try_to(go, target, policy):
            assert world.content() == before
            return
        assert_edits_survive(seeded, edited, world.rows())


@pytest.mark.parametrize("then", [NOTHING, state("v")])
def test_a_state_that_a_run_jumped_over_has_its_stand_in_on_the_way_down(make: Make, then: Any) -> None:
    world = owned(make, state(), state("nobody", size=2), then, then)
    world.upgrade("seed_0003")
    world.owner = None
    world.upgrade()
    world.downgrade("seed_0002")
    assert owner(world) == "u"
    world.downgrade("seed_0001")
    assert owner(world) == "u"
    world.downgrade()
    assert not has_group(world)


@pytest.mark.parametrize("then", [NOTHING, state("v")])
def test_a_group_that_was_nobodys_before_a_jump_is_nobodys_again(make: Make, then: Any) -> None:
    world = owned(make, state(), state(size=2), then)
    world.owner = None
    world.upgrade("seed_0001")
    world.owner = "u"
    world.upgrade()
    world.downgrade("seed_0002")
    assert owner(world) is None
    world.downgrade("seed_0001")
    assert owner(world) is None


def test_a_jump_stands_for_no_state_that_was_come_to_since(make: Make) -> None:
    world = owned(make, NOTHING, state(), NOTHING)
    world.upgrade()
    world.downgrade("seed_0001")
    world.owner = None
    world.upgrade("seed_0002")
    world.upgrade()
    world.downgrade("seed_0002")
    assert owner(world) is None


@given(history=histories(), asked=OWNERS, up=st.integers(1, 4), down=st.integers(0, 3))
def test_every_way_to_a_state_gives_the_same_owners(
    make: Make, history: Any, asked: str | None, up: int, down: int
) -> None:
    world = make(history)
    top, bottom = sorted(min(number, len(world.states)) for number in (up, down))[::-1]
    found = []
    for way in ("direct", "steps", "jump", "stops"):
        world = make(history)
        world.install_schema()
        add_users(world, USER_NAMES)
        world.owner = asked
        stops = [] if way == "jump" else range(1, top + 1) if way == "steps" else [bottom]
        for stop in stops:
            if stop:
                # Not every history can be walked: what was released may point at what goes.
                assume(try_to(world.upgrade, world.revision(stop)))
        if way != "direct":
            assume(try_to(world.upgrade, world.revision(top)))
            owners = {row["owner_id"] for (table, _), row in world.rows().items() if table == GROUPS.name}
            assert asked is None or None not in owners
            for stop in range(top - 1, bottom - 1, -1) if way == "stops" else [bottom]:
                assume(try_to(world.downgrade, world.revision(stop)))
        found.append(sorted((row["name"], row["owner_id"]) for (table, _), row in world.rows().items()
                            if table == GROUPS.name))  # fmt: skip
    assert found[1:] == [found[0]] * 3
