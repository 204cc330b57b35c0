"""Columns that leave their table and come again."""

from dataclasses import replace

from seedrail.history.changes import Change
from seedrail.history.columns import Renewed, reborn
from tests.laws.world import catalog

TABLE = catalog().tables["groups"]
COLUMN = next(name for name in TABLE.columns if name not in TABLE.key)
WITH, WITHOUT = {TABLE.name: TABLE}, {TABLE.name: TABLE.lacking({COLUMN})}
INSERT = Change(TABLE.name, "some id", None, {COLUMN: 1, "other": 2}, "seed_0001")


def test_lines_from_before_a_column_came_again_say_nothing_of_it() -> None:
    renewed = Renewed([{}, WITH, WITHOUT, WITH])
    assert renewed.settle(INSERT, 1) == replace(INSERT, new={"other": 2})
    update = Change(TABLE.name, "some id", {COLUMN: None}, {COLUMN: 1}, "seed_0003", {COLUMN: "seed_0003"})
    assert renewed.settle(update, 3) is update
    assert renewed.settle(update, 2) == replace(update, old={}, new={}, revisions={})


def test_a_column_that_comes_once_and_goes_once_is_one() -> None:
    for states in ([{}, WITH, WITHOUT], [WITHOUT, WITH], [WITH, {}, WITH]):
        assert not Renewed(states).concerns(TABLE.name, 0), states


def test_tells_where_a_column_of_a_state_comes_again() -> None:
    assert list(reborn([{}, WITH, WITHOUT, WITHOUT, WITH], 1)) == [(TABLE.name, COLUMN, 4)]
    assert list(reborn([{}, WITH, WITHOUT, WITH], 3)) == []
    assert list(reborn([{}, WITH, WITHOUT], 1)) == []
