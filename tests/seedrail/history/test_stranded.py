"""Released rows: what a later state takes away from them is told, and nothing else."""

from typing import Any

from seedrail.history.rail.stranded import stranded
from tests.laws.world import catalog, group_id, node_id

TABLES = catalog().tables


def group(name: str) -> dict[str, Any]:
    return {group_id(name): {"name": name, "size": 1, "owner_id": None}}


def node(name: str, on: str, slot: str | None = None, parent: str | None = None) -> dict[str, Any]:
    values = {"name": name, "group_id": group_id(on), "parent_id": parent, "slot": slot, "hits": 0}
    return {node_id(name, on): values}


def told(state: dict[str, Any], away: dict[str, Any]) -> list[str]:
    return list(stranded(state, away, TABLES))


def test_a_link_to_a_row_that_goes_is_told() -> None:
    away = {"nodes": node("x", "a")}
    assert told({"groups": group("a")}, away) == []
    assert told({"groups": group("b")}, away) == [
        "nodes (x) was released, and its group_id leads to a row that goes"
    ]


def test_a_row_that_was_released_as_well_is_there() -> None:
    assert told({}, {"nodes": node("x", "a"), "groups": group("a")}) == []


def test_a_link_that_may_be_missing_and_one_to_a_table_that_nobody_seeds_strand_nothing() -> None:
    owned = {group_id("a"): {"name": "a", "size": 1, "owner_id": "somebody"}}
    assert told({}, {"groups": owned}) == []


def test_a_unique_value_that_a_seeded_row_takes_is_told() -> None:
    state = {"groups": group("a"), "nodes": node("y", "a", slot="s1")}
    assert told(state, {"nodes": node("x", "a", slot="s1")}) == [
        "nodes: slot s1 is that of a released row, too"
    ]
    assert told(state, {"nodes": node("x", "a", slot="s2")}) == []
    assert told(state, {"nodes": node("x", "a")}) == []
