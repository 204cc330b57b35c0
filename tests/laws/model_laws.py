"""The laws of a move, each as a question to one random world; AssertionError where the model breaks it."""

from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from random import Random
from typing import Any

from tests.laws.model import EXISTS, Base, Conflict, History, RefusedError, Stands, move
from tests.laws.model_worlds import (
    MINE,
    a_user_comes_or_goes,
    add_a_remark,
    add_a_run,
    dangling,
    edit_a_cell,
    free,
    history,
    make_anew,
    people,
)


def round_trip(rnd: Random) -> None:
    """Any walk that ends at seed_base ends in the rows that it started from, under changing policies."""
    rail, start = history(rnd, 1, 4), people(rnd)
    base, top = start, len(rail.states) - 1
    for target in [*(rnd.randint(0, top) for _ in range(rnd.randint(1, 4))), 0]:
        before, policies = deepcopy(base), ["keep", "overwrite", *(["abort"] if target else [])]
        try:
            base = move(rail, base, target, rnd.choice(policies))
        except RefusedError:
            assert base == before
        assert not dangling(base)
    assert base.rows == start.rows
    assert not base.claims


def paths_agree(rnd: Random) -> None:
    """A jump ends as single steps do, up and down, where people's values are none of the seed's."""
    rail, start = history(rnd, 2, 4, parents=False), people(rnd, mine=True)
    policy, top = rnd.choice(["keep", "overwrite"]), len(rail.states) - 1
    jump, step = move(rail, start, top, policy), walk(rail, start, range(1, top + 1), policy)
    assert jump.rows == step.rows
    below = rnd.randint(0, top - 1)
    steps = walk(rail, step, range(top - 1, below - 1, -1), policy)
    assert move(rail, jump, below, policy).rows == move(rail, step, below, policy).rows == steps.rows


def ways_down_agree(rnd: Random) -> None:
    """So they do down, under `keep`, with what people wrote at every stop of a way up, whatever its policies.

    The rest of a row that is kept may differ: a jump meets it as it was further up. Under `overwrite` a step
    may take, and claim, what a jump has no need to touch.
    """
    rail, base = history(rnd, 2, 4, parents=False), people(rnd, mine=True)
    for target in range(1, len(rail.states)):
        base = deepcopy(move(rail, base, target, rnd.choice(["keep", "overwrite"])))
        for _ in range(rnd.randint(0, 2)):
            edit_a_cell(rnd, base)
        if rnd.random() < 0.2 and (rows := free(base)):
            table, id_ = rnd.choice(rows)
            del base.rows[table][id_]
    below = rnd.randrange(base.position)
    steps = walk(rail, base, range(base.position - 1, below - 1, -1), "keep")
    assert theirs(move(rail, base, below, "keep")) == theirs(steps)


def theirs(base: Base) -> dict[Any, int]:
    """The cells that hold a value which no seed has."""
    return {
        (table, row["k"], column): row[column]
        for table, columns in [("machine", ["a", "b", "note"]), ("run", ["a", "note"])]
        for row in base.rows[table].values()
        for column in columns
        if row[column] is not None and row[column] >= MINE
    }


def walk(rail: History, base: Base, targets: Any, policy: str) -> Base:
    """From stop to stop."""
    for target in targets:
        base = move(rail, base, target, policy)
    return base


def edits_survive(rnd: Random) -> None:
    """Under `abort` and `keep`, what people write stays written, and what they delete stays deleted."""
    rail, base = history(rnd, 1, 4), people(rnd)
    written: dict[tuple[str, Any, str], Any] = {}
    gone: set[tuple[str, str]] = set()
    for _ in range(rnd.randint(2, 5)):
        source = base.position
        with suppress(RefusedError):
            base = move(rail, base, rnd.randrange(len(rail.states)), rnd.choice(["abort", "keep", "keep"]))
        passed = range(min(source, base.position), max(source, base.position) + 1)
        # What left the seed may come anew.
        gone = {row for row in gone if all(rail.holds(position, row) for position in passed)}
        assert (
            not {(table, f"{table}:{row['k']}") for table in rail.tables for row in base.rows[table].values()}
            & gone
        )
        for (table, id_, column), value in written.items():
            assert base.rows[table].get(id_, {}).get(column) == value, (table, id_, column)
        assert not dangling(base)
        base = deepcopy(base)
        _people_work(rnd, base, written, gone)


def _people_work(rnd: Random, base: Base, written: dict[Any, Any], gone: set[Any]) -> None:
    for _ in range(rnd.randint(0, 2)):
        if edit := edit_a_cell(rnd, base):
            written[edit[:3]] = edit[3]
    seeds_own = [(table, id_) for table, id_ in free(base) if isinstance(id_, str)]
    if seeds_own and rnd.random() < 0.4:
        table, id_ = rnd.choice(seeds_own)
        gone.add((table, f"{table}:{base.rows[table].pop(id_)['k']}"))
        for cell in [cell for cell in written if cell[:2] == (table, id_)]:
            del written[cell]
    if rnd.random() < 0.3 and (rows := free(base)):
        table, id_ = rnd.choice(rows)
        new = make_anew(base, table, id_)
        for cell in [cell for cell in written if cell[:2] == (table, id_)]:
            written[table, new, cell[2]] = written.pop(cell)
        written[table, new, "k"] = base.rows[table][new]["k"]
    if rnd.random() < 0.3:
        a_user_comes_or_goes(rnd, base)
    if rnd.random() < 0.3 and (run := add_a_run(rnd, base)):
        written["run", run, "a"] = base.rows["run"][run]["a"]
    if rnd.random() < 0.2:
        add_a_remark(rnd, base)


def overwritten_comes_back(rnd: Random) -> None:
    """What `overwrite` takes on a way up is there again after the way down: values, rows, and deletions."""
    rail, base = history(rnd, 2, 4), people(rnd)
    top = len(rail.states) - 1
    low = rnd.randint(0, top - 1)
    base = deepcopy(move(rail, base, low, "keep"))
    for _ in range(rnd.randint(1, 3)):
        edit_a_cell(rnd, base)
    if rnd.random() < 0.5 and (rows := free(base)):
        table, id_ = rnd.choice(rows)
        del base.rows[table][id_]
    high = rnd.randint(low + 1, top)
    up = walk(rail, base, range(low + 1, high + 1), "overwrite")
    stops = rnd.sample(range(low + 1, high), rnd.randint(0, high - low - 1))
    down = walk(rail, up, [*sorted(stops, reverse=True), low], "abort")
    assert down.rows == base.rows


def up_down_up(rnd: Random) -> None:
    """The second way up leaves the rows and the claims of the first."""
    rail, base = history(rnd, 1, 4), people(rnd)
    top, policy = len(rail.states) - 1, rnd.choice(["keep", "overwrite"])
    once = move(rail, base, top, policy)
    again = walk(rail, once, [0, top], policy)
    assert again.rows == once.rows
    assert again.claims == once.claims


def a_decision_is_made_once(rnd: Random) -> None:
    """A move to where the database stands is idle, and no later way up asks about a cell that was kept."""
    rail, base = history(rnd, 2, 4), people(rnd)
    at = move(rail, base, rnd.randint(1, len(rail.states) - 1), "keep")
    assert move(rail, at, at.position, "abort") == at
    kept = {
        (row, column)
        for row, columns in at.claims.items()
        for column, stack in columns.items()
        if column != EXISTS and stack[-1].stands is Stands.OWNER
    }
    asked = asks(rail, at, len(rail.states) - 1)
    assert not {(one.row, one.column) for one in asked if one.kind == "edited"} & kept


def asks(rail: History, base: Base, target: int) -> Sequence[Conflict]:
    """What a move would ask about."""
    try:
        move(rail, base, target, "abort")
    except RefusedError as error:
        return error.conflicts
    return ()


LAWS = [
    round_trip,
    paths_agree,
    ways_down_agree,
    edits_survive,
    overwritten_comes_back,
    up_down_up,
    a_decision_is_made_once,
]
