"""The engine beside the model: rows, conflicts and claims of the same moves in the same worlds."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.laws.conftest import worlds
from tests.laws.model import EXISTS, Conflict
from tests.laws.pair import EDITS, NOTES, REMAKES, Pair, states, wander
from tests.laws.test_jumps import expect
from tests.laws.test_optional_links import NOTHING, state
from tests.laws.users import OWN
from tests.laws.world import GROUPS, NODES, USERS, Make, group_id, node_id, user_id
from tests.support.databases import Servers

GROUP, NODE = ("groups", group_id("a")), ("nodes", node_id("x", "a"))
X = UUID(NODE[1])


BATCH = 12
"""Worlds that one test walks through."""

BATCHES = {
    "sqlite": {"quick": 25, "rest": 80, "long": 840},
    "postgresql": {"quick": 2, "rest": 24, "long": 84},
}
"""How many batches there are in `make test`, behind it, and in `make test-long`."""

PROFILE = "long" if os.environ.get("HYPOTHESIS_PROFILE") == "long" else "rest"


def batches() -> Iterator[Any]:
    """Each kind of database with the numbers of its batches."""
    for kind, counts in BATCHES.items():
        for number in range(counts[PROFILE]):
            marks = () if number < counts["quick"] else pytest.mark.long
            yield pytest.param(kind, number, marks=marks, id=f"{kind}-{number}")


@pytest.mark.parametrize(("kind", "number"), list(batches()))
def test_engine_and_model_end_in_the_same_rows_and_claims_and_ask_about_the_same(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    hold(servers, tmp_path, kind, range(number * BATCH, (number + 1) * BATCH))


@pytest.mark.long
@pytest.mark.parametrize("kind", list(BATCHES))
def test_they_do_in_worlds_in_which_they_once_did_not(servers: Servers, tmp_path: Path, kind: str) -> None:
    """Each was one of thousands; what it was about has a name in test_jumps."""
    # Their numbers are from before anybody made rows anew.
    hold(servers, tmp_path, kind, (3959, 4454, 4641, 6516, 7376), EDITS)


def hold(
    servers: Servers,
    tmp_path: Path,
    kind: str,
    seeds: Iterable[int],
    kinds: Sequence[str] = (*EDITS, *REMAKES),
) -> None:
    """Walk through worlds, and differ nowhere."""
    with servers.database(kind, tmp_path) as database, worlds(database, tmp_path) as make:
        for seed in seeds:
            rnd = Random(seed)
            history = states(rnd, 3)
            found = wander(rnd, Pair(make((history, 99, [False] * len(history)))), kinds)
            assert not found, (seed, found)


# -- worlds in which the first engine did otherwise ------------------------------------------------------


def begin(make: Make, *history: Any) -> Pair:
    """A pair at seed_base."""
    return Pair(make((list(history), 99, [False] * len(history))))


def ready(pair: Pair, target: int, policy: str = "abort") -> None:
    """A move of the scene, in which nothing differs yet."""
    expect(pair.move(target, policy), [])


def group(**values: Any) -> sa.Update:
    """Somebody edits the group."""
    return sa.update(GROUPS).values(**values)


def sizes(pair: Pair) -> list[int]:
    """The size of the group, if it is there."""
    return [row[0] for row in pair.world.database.rows("SELECT size FROM groups")]


def with_node() -> dict[str, Any]:
    """A state of a group and its node."""
    row = {"name": "x", "group_id": GROUP[1], "parent_id": None, "slot": None, "body": None, "hits": 0}
    return {**state(), "nodes": {NODE[1]: row}}


@pytest.mark.long
def test_a_refusal_lists_the_rows_that_a_kept_row_holds(make: Make) -> None:
    pair = begin(make, with_node())
    ready(pair, 1)
    pair.sql(sa.update(NODES).values(hits=2))
    pair.move(0)
    engine, model = pair.asked
    assert Conflict("referenced", GROUP) in model
    assert engine == model


@pytest.mark.long
def test_a_refusal_lists_a_row_that_cannot_go_for_one_reason(make: Make) -> None:
    pair = begin(make, with_node(), state())
    ready(pair, 1)
    pair.sql(sa.update(NODES).values(hits=2), sa.insert(NOTES).values(text="a note", node=X))
    pair.move(2)
    engine, model = pair.asked
    assert {one for one in model if one.row == NODE} == {Conflict("edited row", NODE, "hits")}
    assert {one for one in engine if one.row == NODE} == {one for one in model if one.row == NODE}


@pytest.mark.long
@pytest.mark.parametrize("policy", ["abort", "keep", "overwrite"])
def test_an_owner_who_comes_late_is_no_edit(make: Make, policy: str) -> None:
    pair = begin(make, state("late"))
    ready(pair, 1)
    pair.sql(sa.insert(USERS).values(id=UUID(user_id("late")), name="late"))
    assert pair.move(0, policy) == []


@pytest.mark.long
def test_a_jump_down_gives_back_what_a_change_that_returned_had_overwritten(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state())
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    ready(pair, 3)
    assert pair.move(1) == []


@pytest.mark.long
def test_a_jump_down_gives_back_what_a_delete_had_taken(make: Make) -> None:
    pair = begin(make, state(), NOTHING, state())
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    ready(pair, 3)
    assert pair.move(1) == []


@pytest.mark.long
def test_a_cell_that_was_kept_is_not_asked_about_again(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state(size=3))
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "keep")
    assert pair.move(3) == []


@pytest.mark.long
def test_what_a_way_down_overwrites_comes_back_below(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state(size=3))
    ready(pair, 3)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    assert pair.move(1) == []
    assert sizes(pair) == [9]


@pytest.mark.long
def test_a_jump_down_asks_about_a_value_that_came_after_one_that_was_overwritten(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state(size=3))
    ready(pair, 1)
    pair.sql(group(size=8))
    ready(pair, 2, "overwrite")
    pair.sql(group(size=9))
    ready(pair, 3, "overwrite")
    assert pair.move(1) == []


@pytest.mark.long
def test_a_jump_down_below_its_birth_asks_about_an_edited_row_that_was_deleted(make: Make) -> None:
    pair = begin(make, state(), NOTHING)
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    assert pair.move(0) == []


@pytest.mark.long
def test_a_stop_asks_about_a_row_that_is_gone_there(make: Make) -> None:
    other = {group_id("b"): {"name": "b", "size": 1, "owner_id": None}}
    first, second = state(), with_node()
    first["groups"] |= other
    second["groups"] |= other
    third = {**second, "groups": {**state()["groups"], group_id("b"): {**other[group_id("b")], "size": 2}}}
    third["nodes"] = {NODE[1]: {**second["nodes"][NODE[1]], "body": {"k": 1}}}
    pair = begin(make, first, second, third)
    ready(pair, 2)
    pair.sql(sa.delete(GROUPS).where(GROUPS.c.name == "b"))
    ready(pair, 3, "keep")
    pair.sql(sa.delete(NODES))
    assert pair.move(1, "keep") == []


# -- where they agree --------------------------------------------------------------------------------


@pytest.mark.long
def test_a_row_that_is_kept_has_back_what_the_seed_wrote_over(make: Make) -> None:
    pair = begin(make, state(), state(size=2))
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    assert pair.move(0, "keep") == []
    assert sizes(pair) == [9]


@pytest.mark.long
def test_both_know_whose_row_it_is_that_was_adopted_and_given_back(make: Make) -> None:
    pair = begin(make, state(size=2), NOTHING)
    pair.sql(sa.insert(GROUPS).values(id=UUID(int=7), name="a", size=1))
    assert pair.move(1, "overwrite") == []
    assert pair.move(2) == []
    assert sizes(pair) == [1]
    assert len(pair.base.claims[GROUP][EXISTS]) == 2


@pytest.mark.long
def test_a_row_that_is_brought_back_leads_to_a_group_that_was_there_first(make: Make) -> None:
    scene = [with_node(), with_node()]
    scene[1]["nodes"][NODE[1]] |= {"hits": 7}
    pair = begin(make, *scene)
    pair.sql(sa.insert(GROUPS).values(id=OWN, name="a", size=1))
    ready(pair, 1, "overwrite")
    pair.sql(sa.delete(NODES))
    expect(pair.move(2, "overwrite"), [])
    assert pair.world.database.rows("SELECT hits FROM nodes") == [(7,)]
    assert pair.move(0) == []


@pytest.mark.parametrize("policy", ["abort", "keep", "overwrite"])
def test_a_link_that_was_cut_is_whole_again_where_a_jump_had_passed_by_it(make: Make, policy: str) -> None:
    pair = begin(make, state("nobody"), state("v"), state("nobody"))
    pair.sql(sa.insert(USERS).values(id=UUID(user_id("v")), name="v"))
    ready(pair, 1)
    ready(pair, 3)
    assert pair.move(2, policy) == []
    assert pair.world.database.scalar("SELECT count(*) FROM groups WHERE owner_id IS NOT NULL") == 1
    assert pair.move(0, policy) == []
