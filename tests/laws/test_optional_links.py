"""Links that may be missing (`missing_as_null`): an owner is the owner's, and an empty link is a value too.

Groups have owners, who are users; nobody seeds users, so that a seed may name one that is in no database.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.laws.test_laws import try_to
from tests.laws.users import OWN
from tests.laws.world import GROUPS, USERS, Make, World, group_id, user_id

# Each is a history with several policies, and the random laws of `make test` have optional links too.
pytestmark = pytest.mark.long

POLICIES = ["abort", "keep", "overwrite"]
A = UUID(group_id("a"))


def state(owner: str | None = None, **values: Any) -> dict[str, Any]:
    """A seed state of one group; its owner may be in no database."""
    row = {"name": "a", "size": 1, "owner_id": user_id(owner) if owner else None, **values}
    return {"groups": {group_id("a"): row}, "nodes": {}, "items": {}}


NOTHING: dict[str, Any] = {"groups": {}, "nodes": {}, "items": {}}


def begin(make: Make, *states: Any, users: str = "u") -> World:
    """A world at seed_base that has some users."""
    world = make((list(states), 99, [False] * len(states)))
    world.install_schema()
    add_users(world, users)
    return world


def add_users(world: World, names: Iterable[str]) -> None:
    with world.user() as connection:
        for name in names:
            connection.execute(sa.insert(USERS).values(id=UUID(user_id(name)), name=name))


def own_group(world: World, owner: str | None = None, id_: UUID = OWN) -> None:
    """Somebody's group with the name and the size that the seed wants."""
    with world.user() as connection:
        link = UUID(user_id(owner)) if owner else None
        connection.execute(sa.insert(GROUPS).values(id=id_, name="a", size=1, owner_id=link))


def edit(world: World, **values: Any) -> None:
    with world.user() as connection:
        connection.execute(sa.update(GROUPS).values(**values))


def owner(world: World) -> str | None:
    """The name of the group's owner."""
    with world.database.engine.connect() as connection:
        query = sa.select(GROUPS.c.id, USERS.c.name).outerjoin(USERS)
        [(_, name)] = connection.execute(query)
    return name


def has_group(world: World) -> bool:
    return bool(world.database.scalar("SELECT count(*) FROM groups"))


# -- a link that a user cleared --------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_a_rollback_does_not_bring_back_an_owner_whom_a_user_had_cleared(make: Make, policy: str) -> None:
    world = begin(make, state("u"), NOTHING)
    world.upgrade("seed_0001")
    edit(world, owner_id=None)
    if try_to(world.upgrade, "head", policy):
        world.downgrade("seed_0001")
    assert owner(world) is None


def test_a_group_whose_owner_a_user_cleared_is_not_deleted_unasked(make: Make) -> None:
    world = begin(make, state("u"), NOTHING)
    world.upgrade("seed_0001")
    edit(world, owner_id=None)
    assert not try_to(world.upgrade)
    assert not try_to(world.downgrade)
    world.downgrade("seed_base", "keep")
    assert owner(world) is None


def test_an_update_meets_a_cleared_owner_as_an_edit(make: Make) -> None:
    world = begin(make, state("u"), state("v"), users="uv")
    world.upgrade("seed_0001")
    edit(world, owner_id=None)
    assert not try_to(world.upgrade)
    world.upgrade("head", "overwrite")
    assert owner(world) == "v"
    world.downgrade("seed_0001")
    assert owner(world) is None


# -- a row that was there first --------------------------------------------------------------------


@pytest.mark.parametrize("id_", [OWN, A], ids=["own id", "seed id"])
def test_an_owner_gets_the_empty_link_of_an_adopted_group_back(make: Make, id_: UUID) -> None:
    world = begin(make, state("u"))
    own_group(world, id_=id_)
    before = world.content()
    assert not try_to(world.upgrade)
    world.upgrade("head", "overwrite")
    assert owner(world) == "u"
    world.downgrade()
    assert world.content() == before


def test_an_adopted_group_gets_a_later_owner_and_loses_it_again(make: Make) -> None:
    world = begin(make, state(), state("u"))
    own_group(world)
    before = world.content()
    world.upgrade("seed_0001")
    world.upgrade()
    assert owner(world) == "u"
    world.downgrade("seed_0001")
    assert owner(world) is None
    world.upgrade()
    world.downgrade()
    assert world.content() == before


@pytest.mark.parametrize("policy", POLICIES)
def test_an_adopted_group_keeps_or_gets_back_the_owner_where_the_seeds_is_in_no_database(
    make: Make, policy: str
) -> None:
    world = begin(make, state("nobody"))
    own_group(world, "u")
    before = world.content()
    if try_to(world.upgrade, "head", policy):
        world.downgrade()
    assert world.content() == before


# -- an update of the link -------------------------------------------------------------------------


def test_an_update_gives_a_group_an_owner(make: Make) -> None:
    world = begin(make, state(), state("u"))
    world.upgrade("seed_0001")
    world.upgrade()
    assert owner(world) == "u"
    steps = world.content()
    world.downgrade()
    world.upgrade()
    assert world.content() == steps


@pytest.mark.parametrize("then", [None, "v", "nobody"])
def test_a_rollback_gives_a_group_the_owner_whom_an_update_took(make: Make, then: str | None) -> None:
    world = begin(make, state("u"), state(then), users="uv")
    world.upgrade("seed_0001")
    before = world.content()
    world.upgrade()
    assert owner(world) == (then if then == "v" else None)
    world.downgrade("seed_0001")
    assert owner(world) == "u"
    assert {**world.content(), "alembic_version": []} == {**before, "alembic_version": []}


def test_a_script_gives_a_group_an_owner_and_takes_the_owner_again(make: Make) -> None:
    world = begin(make, state(), state("u"))
    world.database.execute("DROP TABLE notes")
    world.upgrade("seed_0001")
    assert world.run_script(world.script("upgrade", "seed_0001:head"))
    assert owner(world) == "u"
    assert world.run_script(world.script("downgrade", "seed_0002:seed_0001"))
    assert owner(world) is None


# -- an owner that is in no database ---------------------------------------------------------------


@pytest.mark.parametrize("first", [None, "somebody"])
def test_a_rollback_does_not_take_a_missing_owner_for_an_edit(make: Make, first: str | None) -> None:
    world = begin(make, state(first), state("nobody"))
    world.upgrade("seed_0001")
    world.upgrade()
    assert owner(world) is None
    assert try_to(world.downgrade)
    assert not has_group(world)


def test_a_missing_owner_and_a_later_value_come_and_go(make: Make) -> None:
    world = begin(make, state("nobody"), state("nobody", size=2), state("u", size=2), NOTHING)
    before = world.content()
    for target in ("seed_0001", "seed_0002", "seed_0003", "head"):
        world.upgrade(target)
    for target in ("seed_0003", "seed_0002", "seed_0001", "seed_base"):
        world.downgrade(target)
    assert world.content() == before


def test_an_owner_who_comes_after_the_seed_named_him_is_no_edit_on_the_way_down(make: Make) -> None:
    world = begin(make, state("late"))
    world.upgrade()
    add_users(world, ["late"])
    world.downgrade()
    assert not has_group(world)


def test_an_owner_who_comes_after_the_seed_named_him_is_no_edit_on_the_way_up(make: Make) -> None:
    world = begin(make, state("late"), state("u"))
    world.upgrade("seed_0001")
    add_users(world, ["late"])
    world.upgrade()
    assert owner(world) == "u"
