"""The engine beside the model: where they agree, and under a name each kind of difference that is known."""

from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.laws.model import EXISTS, Conflict
from tests.laws.pair import NOTES, Pair, states, wander
from tests.laws.test_jumps import expect
from tests.laws.test_optional_links import NOTHING, state
from tests.laws.world import GROUPS, NODES, USERS, Make, group_id, node_id, user_id

GROUP, NODE = ("groups", group_id("a")), ("nodes", node_id("x", "a"))
X = UUID(NODE[1])


@pytest.mark.parametrize("worlds", [2, pytest.param(100, marks=pytest.mark.long)])
def test_engine_and_model_end_in_the_same_rows_and_ask_about_the_same(make: Make, worlds: int) -> None:
    for number in range(worlds):
        rnd = Random(number)
        history = states(rnd, 3)
        found = wander(rnd, Pair(make((history, 99, [False] * len(history)))))
        assert not found, (number, found)


# -- differences: what the engine will do when it is made anew -----------------------------------------


def differs(reason: str, raises: type[BaseException] = AssertionError) -> Any:
    """The engine does otherwise, and the model is right; tried with the laws in full."""
    return pytest.mark.xfail(strict=True, raises=raises, reason=reason)


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
@differs("the engine lists what holds a row, not which rows that one holds in its turn")
def test_a_refusal_lists_the_rows_that_a_kept_row_holds(make: Make) -> None:
    pair = begin(make, with_node())
    ready(pair, 1)
    pair.sql(sa.update(NODES).values(hits=2))
    pair.move(0)
    engine, model = pair.asked
    assert Conflict("referenced", GROUP) in model
    assert engine == model


@pytest.mark.long
@differs("the engine lists a row that is edited and pointed at twice, the model once")
def test_a_refusal_lists_a_row_that_cannot_go_for_one_reason(make: Make) -> None:
    pair = begin(make, with_node(), state())
    ready(pair, 1)
    pair.sql(sa.update(NODES).values(hits=2), sa.insert(NOTES).values(text="a note", node=X))
    pair.move(2)
    engine, model = pair.asked
    assert {one for one in model if one.row == NODE} == {Conflict("edited row", NODE, "hits")}
    assert {one for one in engine if one.row == NODE} == {one for one in model if one.row == NODE}


@pytest.mark.long
@differs("the engine forgets that a link was cut: who comes later looks like one who was cleared")
@pytest.mark.parametrize("policy", ["abort", "keep", "overwrite"])
def test_an_owner_who_comes_late_is_no_edit(make: Make, policy: str) -> None:
    pair = begin(make, state("late"))
    ready(pair, 1)
    pair.sql(sa.insert(USERS).values(id=UUID(user_id("late")), name="late"))
    assert pair.move(0, policy) == []


@pytest.mark.long
@differs("the engine jumps past a change and its return, and past what people wrote between")
def test_a_jump_down_gives_back_what_a_change_that_returned_had_overwritten(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state())
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    ready(pair, 3)
    assert pair.move(1) == []


@pytest.mark.long
@differs("the engine jumps past a delete and its return, and past what people wrote between")
def test_a_jump_down_gives_back_what_a_delete_had_taken(make: Make) -> None:
    pair = begin(make, state(), NOTHING, state())
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    ready(pair, 3)
    assert pair.move(1) == []


@pytest.mark.long
@differs("the engine asks about a cell that was kept at each revision that changes it")
def test_a_cell_that_was_kept_is_not_asked_about_again(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state(size=3))
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "keep")
    assert pair.move(3) == []


@pytest.mark.long
@differs("the engine keeps no claim of what a way down overwrites")
def test_what_a_way_down_overwrites_comes_back_below(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state(size=3))
    ready(pair, 3)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    assert pair.move(1) == []
    assert sizes(pair) == [9]


@pytest.mark.long
@differs("the engine gives an earlier value back, and takes what its owner wrote after that unasked")
def test_a_jump_down_asks_about_a_value_that_came_after_one_that_was_overwritten(make: Make) -> None:
    pair = begin(make, state(), state(size=2), state(size=3))
    ready(pair, 1)
    pair.sql(group(size=8))
    ready(pair, 2, "overwrite")
    pair.sql(group(size=9))
    ready(pair, 3, "overwrite")
    assert pair.move(1) == []


@pytest.mark.long
@differs("the engine jumps past an edited row that a revision deleted")
def test_a_jump_down_below_its_birth_asks_about_an_edited_row_that_was_deleted(make: Make) -> None:
    pair = begin(make, state(), NOTHING)
    ready(pair, 1)
    pair.sql(group(size=9))
    ready(pair, 2, "overwrite")
    assert pair.move(0) == []


@pytest.mark.long
@differs(
    "the engine stops for rows that were kept alone, and does not ask about others where it does not stop"
)
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
