"""The model of the merge keeps the laws, and its corners have names."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.model import EXISTS, Base, Claim, Conflict, History, RefusedError, Stands, move
from tests.laws.model_laws import LAWS, walk
from tests.laws.model_worlds import TABLES

QUICK, LONG = 50, 2000
"""Worlds a law."""


@pytest.mark.parametrize("worlds", [QUICK, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_model_keeps(law: Callable[[Random], None], worlds: int) -> None:
    # A world is made of a number: a smaller one is no simpler, but as quick as the model itself.
    @settings(max_examples=worlds)
    @given(rnd=st.builds(Random, st.integers(0, 2**32)))
    def hold(rnd: Random) -> None:
        law(rnd)

    hold()


# -- corners ---------------------------------------------------------------------------------------


MACHINE, RUN = ("machine", "machine:p"), ("run", "run:p")
OTHER = ("machine", "machine:q")


def machine(key: str = "p", a: int = 1) -> dict[Any, Any]:
    """A state of one machine."""
    return {("machine", f"machine:{key}"): {"k": key, "a": a, "b": 0}}


def run(a: int = 1, on: str = "p", owner: str | None = None) -> dict[Any, Any]:
    """A state of one run."""
    row = {"k": "p", "a": a, "machine": f"machine:{on}", "parent": None, "owner": owner}
    return {RUN: row}


def begin(*states: dict[Any, Any], users: Iterable[str] = ()) -> tuple[History, Base]:
    """A history, and a database in which nobody has written."""
    rows: dict[str, dict[Any, Any]] = {"machine": {}, "run": {}, "user": {n: {} for n in users}, "remark": {}}
    return History(TABLES, [{}, *states]), Base(rows)


def somebodys(base: Base, a: int = 7) -> Base:
    """The database with somebody's machine, whose key is one of the seed's."""
    base.rows["machine"][1] = {"k": "p", "a": a, "b": 0, "note": None}
    return base


def without(base: Base, table: str, id_: Any) -> Base:
    """The database after somebody deleted a row."""
    base = deepcopy(base)
    del base.rows[table][id_]
    return base


def edited(base: Base, row: tuple[str, Any], **values: Any) -> Base:
    """The database after somebody edited a row."""
    base = deepcopy(base)
    base.rows[row[0]][row[1]].update(values)
    return base


def down(rail: History, base: Base, target: int, way: str, policy: str = "abort") -> Base:
    """Down in one jump, or in steps."""
    stops = [target] if way == "jump" else range(base.position - 1, target - 1, -1)
    return walk(rail, base, stops, policy)


def values(base: Base, table: str, column: str = "a") -> list[Any]:
    """A column, row by row."""
    return [row[column] for row in base.rows[table].values()]


ways = pytest.mark.parametrize("way", ["jump", "steps"])


@ways
def test_a_row_that_a_user_deleted_goes_again_below_the_revision_that_brought_it_back(way: str) -> None:
    rail, base = begin(machine(), {}, machine(a=2))
    base = without(move(rail, base, 1, "abort"), *MACHINE)
    base = move(rail, base, 2, "abort")
    assert base.claims[MACHINE][EXISTS] == [Claim(2, "absent", Stands.OWNER)]
    base = move(rail, base, 3, "abort")
    assert values(base, "machine") == [2]
    assert down(rail, base, 1, way).rows["machine"] == {}
    assert down(rail, base, 0, way).claims == {}


@ways
def test_an_adopted_row_that_was_deleted_and_brought_back_goes_on_the_way_down(way: str) -> None:
    rail, base = begin(machine(), machine(a=2))
    base = without(move(rail, somebodys(base), 1, "keep"), "machine", 1)
    base = move(rail, base, 2, "overwrite")
    assert base.rows["machine"] == {"machine:p": {"k": "p", "a": 2, "b": 0, "note": None}}
    assert down(rail, base, 1, way).rows["machine"] == {}
    assert down(rail, base, 0, way).rows["machine"] == {}


@ways
def test_a_row_whose_required_link_leads_nowhere_is_left_out_and_not_asked_about_again(way: str) -> None:
    rail, base = begin(machine(), {**machine(), **run()}, {**machine(), **run(a=2)})
    base = without(move(rail, base, 1, "abort"), *MACHINE)
    with pytest.raises(RefusedError) as refused:
        move(rail, base, 2, "abort")
    assert refused.value.conflicts == [Conflict("unlinked", RUN, "machine")]
    base = move(rail, move(rail, base, 2, "keep"), 3, "abort")
    assert base.rows["run"] == {}
    assert down(rail, base, 1, way).claims == {}


@ways
@pytest.mark.parametrize("policy", ["keep", "overwrite"])
def test_a_required_link_that_could_not_be_written_stays_and_is_no_edit(policy: str, way: str) -> None:
    machines = {**machine(), **machine("q")}
    rail, base = begin({**machines, **run()}, {**machines, **run(on="q")}, {**machines, **run()})
    base = without(move(rail, base, 1, "abort"), *OTHER)
    base = move(rail, base, 2, policy)
    assert values(base, "run", "machine") == ["machine:p"]
    assert base.claims[RUN]["machine"] == [Claim(2, "machine:p", Stands.CUT)]
    base = move(rail, base, 3, "abort")
    base = down(rail, base, 1, way)
    assert values(base, "run", "machine") == ["machine:p"]
    assert down(rail, base, 0, way, "keep").rows["run"] == {}


@ways
def test_a_link_that_was_cut_and_is_whole_again_is_no_edit_either_way(way: str) -> None:
    def state(owner: str) -> dict[Any, Any]:
        return {**machine(), **run(owner=owner)}

    rail, base = begin(state("u"), state("v"), users="v")
    base = move(rail, base, 1, "abort")
    assert values(base, "run", "owner") == [None]
    assert base.claims[RUN]["owner"] == [Claim(1, None, Stands.CUT)]
    base.rows["user"]["u"] = {}
    base = move(rail, base, 2, "abort")
    assert values(base, "run", "owner") == ["v"]
    assert values(down(rail, base, 1, way), "run", "owner") == [None]
    assert down(rail, base, 0, way).rows["run"] == {}


@ways
def test_a_row_that_was_kept_is_the_seeds_again_below_and_adopted_above(way: str) -> None:
    rail, base = begin(machine(), {}, machine(a=2))
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=9)
    base = move(rail, base, 2, "keep")
    assert values(base, "machine") == [9]
    base = move(rail, base, 3, "overwrite")
    assert values(base, "machine") == [2]
    assert values(down(rail, base, 1, way), "machine") == [9]


def test_a_row_that_others_point_at_stays_under_overwrite() -> None:
    rail, base = begin(machine(), {})
    base = move(rail, base, 1, "abort")
    base.rows["run"][1] = {
        "k": "mine",
        "a": 5,
        "machine": MACHINE[1],
        "parent": None,
        "owner": None,
        "note": None,
    }
    conflicts: list[Conflict] = []
    base = move(rail, base, 2, "overwrite", conflicts)
    assert values(base, "machine") == [1]
    assert conflicts == [Conflict("referenced", MACHINE)]


def test_the_same_value_that_somebody_set_before_the_seed_is_theirs_on_the_way_down() -> None:
    rail, base = begin(machine(), machine(a=2))
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=2)
    base = move(rail, base, 2, "abort")
    assert base.claims[MACHINE]["a"] == [Claim(2, 2, Stands.OWNER)]
    assert values(move(rail, base, 1, "abort"), "machine") == [2]


@ways
def test_a_value_that_was_set_after_another_was_overwritten_is_asked_about(way: str) -> None:
    rail, base = begin(machine(), machine(a=2), machine(a=3))
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=8)
    base = edited(move(rail, base, 2, "overwrite"), MACHINE, a=9)
    base = move(rail, base, 3, "overwrite")
    with pytest.raises(RefusedError):
        down(rail, base, 1, way)
    assert values(down(rail, base, 1, way, "keep"), "machine") == [9]


@ways
def test_an_edited_row_that_was_deleted_is_asked_about_below_its_birth(way: str) -> None:
    rail, base = begin(machine(), {})
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=9)
    base = move(rail, base, 2, "overwrite")
    assert base.rows["machine"] == {}
    with pytest.raises(RefusedError):
        down(rail, base, 0, way)
    assert values(down(rail, base, 0, way, "keep"), "machine") == [9]


@ways
def test_a_row_that_is_kept_has_back_what_the_seed_wrote_over(way: str) -> None:
    rail, base = begin(machine(), machine(a=2), machine(a=3))
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=9)
    base = move(rail, base, 3, "overwrite")
    assert values(down(rail, base, 0, way, "keep"), "machine") == [9]


def test_an_adopted_row_links_to_one_that_comes_with_the_same_move() -> None:
    # The row that comes stands later in the order of their ids.
    adopted = {"k": "p", "a": 1, "machine": "machine:p", "parent": "run:q", "owner": None}
    rail, base = begin({**machine(), RUN: adopted, ("run", "run:q"): {**adopted, "k": "q", "parent": None}})
    base = somebodys(base, a=1)
    link = {"machine": 1, "parent": None, "owner": None}
    base.rows["run"][2] = {"k": "p", "a": 1, "note": None, **link}
    base = move(rail, base, 1, "overwrite")
    assert base.rows["run"][2]["parent"] == "run:q"
    assert move(rail, base, 0, "abort").rows["run"] == {2: {"k": "p", "a": 1, "note": None, **link}}


def test_an_adopted_row_does_not_ask_about_an_owner_who_is_in_no_database() -> None:
    rail, base = begin({**machine(), **run(owner="u")})
    base = somebodys(base, a=1)
    start = deepcopy(base)
    link = {"machine": 1, "parent": None, "owner": None}
    base.rows["run"][2] = start.rows["run"][2] = {"k": "p", "a": 1, "note": None, **link}
    base = move(rail, base, 1, "abort")
    assert base.claims[RUN]["owner"] == [Claim(1, None, Stands.CUT)]
    assert move(rail, base, 0, "abort").rows == start.rows


def kept_at_2() -> tuple[History, Base]:
    """A cell that somebody set to 9, which `keep` left at position 2."""
    rail, base = begin(machine(), machine(a=2), machine(a=3))
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=9)
    return rail, move(rail, base, 2, "keep")


def test_overwrite_decides_anew_about_a_cell_that_was_kept() -> None:
    rail, base = kept_at_2()
    base = move(rail, base, 3, "overwrite")
    assert values(base, "machine") == [3]
    assert base.claims[MACHINE]["a"] == [Claim(2, 9, Stands.OWNER), Claim(3, 9, Stands.SEED)]
    assert values(move(rail, base, 2, "abort"), "machine") == [9]


def test_a_cell_that_was_kept_is_left_alone_on_a_way_down_under_overwrite() -> None:
    rail, base = kept_at_2()
    assert values(move(rail, base, 1, "overwrite"), "machine") == [9]


def test_a_cell_that_its_owner_set_as_the_seed_would_follows_the_seed_and_comes_back() -> None:
    rail, base = begin(machine(), machine(a=2), machine(a=3))
    base = edited(move(rail, base, 1, "abort"), MACHINE, a=2)
    base = walk(rail, base, [2, 3], "abort")
    assert values(base, "machine") == [3]
    assert base.claims[MACHINE]["a"] == [Claim(2, 2, Stands.OWNER), Claim(3, 2, Stands.SEED)]
    assert values(move(rail, base, 2, "abort"), "machine") == [2]


def test_what_overwrite_takes_on_a_way_down_is_claimed_below_and_comes_back_below_that() -> None:
    rail, base = begin(machine(), machine(a=2), machine(a=3))
    base = edited(move(rail, base, 3, "abort"), MACHINE, a=9)
    base = move(rail, base, 2, "overwrite")
    assert values(base, "machine") == [2]
    assert base.claims[MACHINE]["a"] == [Claim(2, 9, Stands.SEED)]
    assert values(move(rail, base, 1, "abort"), "machine") == [9]
