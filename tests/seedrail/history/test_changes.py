"""The algebra of changes, as laws: apart, one after the other, and backwards."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedrail.history.changes import Change, diff, net_of

State = dict[str, dict[str, dict[str, Any]]]

SCALARS = st.sampled_from([None, True, False, 0, 1, 2, 1.5, "", "a", "1"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.fixed_dictionaries({"key": st.just("k"), "a": SCALARS, "b": JSON})
STATES = st.dictionaries(
    st.sampled_from(["machines", "simulations"]),
    st.dictionaries(st.sampled_from(["1", "2", "3"]), ROWS, max_size=3),
)
HISTORIES = st.lists(STATES, min_size=1, max_size=5)


def apply(state: State, changes: Iterable[Change]) -> State:
    """An independent reading of what changes mean; each must find what it expects."""
    after = {table: {id_: dict(row) for id_, row in rows.items()} for table, rows in state.items()}
    for change in changes:
        rows = after.setdefault(change.table, {})
        if change.kind == "insert":
            assert change.id not in rows
            rows[change.id] = dict(change.new or {})
        elif change.kind == "delete":
            assert exact(present(rows.pop(change.id))) == exact(present(change.old or {}))
        else:
            row = rows[change.id]
            assert {name: exact(row.get(name)) for name in change.old or {}} == exact(change.old)
            row.update(change.new or {})
    return after


def present(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its NULLs: a column that is missing is NULL."""
    return {name: value for name, value in row.items() if value is not None}


def exact(value: Any) -> Any:
    """A value that equals another only where JSON's booleans and numbers do."""
    if isinstance(value, bool):
        return f"bool {value}"
    if isinstance(value, Mapping):
        return {key: exact(member) for key, member in value.items()}
    return [exact(member) for member in value] if isinstance(value, list) else value


def plain(state: State) -> Any:
    """A state for comparing: no empty tables, no NULLs."""
    return exact(
        {table: {i: present(row) for i, row in rows.items()} for table, rows in state.items() if rows}
    )


def steps(history: list[State]) -> list[list[Change]]:
    """The changes between the states of a history that begins with nothing."""
    return [list(diff(a, b)) for a, b in zip([{}, *history], history, strict=False)]


def in_file(runs: list[list[Change]]) -> list[list[Change]]:
    """Changes as change files give them: whole rows without NULLs, and their revision on them."""
    return [
        [
            Change(
                one.table,
                one.id,
                one.old if one.kind == "update" or one.old is None else present(one.old),
                one.new if one.kind == "update" or one.new is None else present(one.new),
                f"r{number}",
                dict.fromkeys(one.new or {}, f"r{number}") if one.kind == "update" else {},
            )
            for one in run
        ]
        for number, run in enumerate(runs, start=1)
    ]


def net(runs: Iterable[Iterable[Change]]) -> list[Change]:
    """What runs come to, row by row, sorted."""
    rows: dict[tuple[str, str], list[Change]] = {}
    for change in chain.from_iterable(runs):
        rows.setdefault(change.seed_row, []).append(change)
    totals = (net_of(rows[row]) for row in sorted(rows))
    return [total for total in totals if total is not None]


@given(STATES, STATES)
def test_a_difference_applied_gives_the_other_state(before: State, after: State) -> None:
    assert plain(apply(before, diff(before, after))) == plain(after)


@given(STATES, STATES)
def test_the_inverse_leads_back(before: State, after: State) -> None:
    changes = list(diff(before, after))
    back = [change.inverse() for change in changes]
    assert plain(apply(apply(before, changes), back)) == plain(before)
    assert [change.inverse() for change in back] == changes
    assert plain(apply(after, diff(after, before))) == plain(before)


@given(STATES)
def test_a_state_does_not_differ_from_itself(state: State) -> None:
    assert list(diff(state, state)) == []
    sparse = {table: {i: present(row) for i, row in rows.items()} for table, rows in state.items()}
    assert list(diff(sparse, state)) == []


@given(STATES, STATES)
def test_a_difference_is_sorted_minimal_and_has_one_change_a_row(before: State, after: State) -> None:
    changes = list(diff(before, after))
    keys = [change.seed_row for change in changes]
    assert keys == sorted(set(keys))
    for change in changes:
        if change.kind == "update":
            assert change.old
            assert change.old.keys() == (change.new or {}).keys()
            assert all(exact(change.old[name]) != exact((change.new or {})[name]) for name in change.old)


@given(HISTORIES)
def test_the_net_of_a_history_is_the_difference_of_its_ends(history: list[State]) -> None:
    runs = in_file(steps(history))
    total = list(net(runs))
    assert plain(apply({}, total)) == plain(history[-1])
    keys = [change.seed_row for change in total]
    assert keys == sorted(set(keys))
    assert {change.kind for change in total} <= {"insert"}
    for start in range(len(history)):
        part = list(net(runs[start + 1 :]))
        assert plain(apply(history[start], part)) == plain(history[-1])
        direct = diff(history[start], history[-1])
        assert [(c.seed_row, c.kind) for c in part] == [(c.seed_row, c.kind) for c in direct]


@given(HISTORIES)
def test_the_net_does_not_need_to_know_revisions(history: list[State]) -> None:
    assert plain(apply({}, net(steps(history)))) == plain(history[-1])


@given(HISTORIES)
def test_a_history_and_its_inverse_come_to_nothing(history: list[State]) -> None:
    runs = in_file(steps(history))
    back = [[change.inverse() for change in run] for run in reversed(runs)]
    assert list(net([*runs, *back])) == []
    assert list(net([list(net(runs)), [change.inverse() for change in net(runs)]])) == []


@given(HISTORIES, st.data())
def test_composing_in_parts_is_composing_at_once(history: list[State], data: st.DataObject) -> None:
    runs = in_file(steps(history))
    cut = data.draw(st.integers(0, len(runs)))
    parts = [list(net(runs[:cut])), list(net(runs[cut:]))]

    def said(changes: Iterable[Change]) -> list[Any]:
        # A whole row may name a NULL or leave it out.
        return [(one.seed_row, one.kind, present(one.old or {}), present(one.new or {})) for one in changes]

    assert said(net(parts)) == said(net(runs))


@given(HISTORIES)
def test_an_update_knows_the_last_revision_that_changed_each_column(history: list[State]) -> None:
    runs = in_file(steps(history))
    for change in net(runs[1:]):
        if change.kind != "update":
            continue
        assert change.revisions.keys() == (change.new or {}).keys()
        for name, revision in change.revisions.items():
            touching = [
                one
                for run in runs[1:]
                for one in run
                if one.seed_row == change.seed_row and (one.kind != "update" or name in one.revisions)
            ]
            assert revision == touching[-1].revision


def row(**values: Any) -> State:
    return {"t": {"1": {"key": "k", **values}}}


@pytest.mark.parametrize(
    ("old", "new", "different"),
    [
        (True, 1, True),
        (False, 0, True),
        (0, False, True),
        (1, 1.0, False),
        (None, False, True),
        ("1", 1, True),
        ({"a": True}, {"a": 1}, True),
        ([0], [False], True),
        ([[{"a": [1]}]], [[{"a": [True]}]], True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ([1, 2], [2, 1], True),
        ([1], [1, 1], True),
        ({}, [], True),
        ({}, None, True),
        ({"a": None}, {}, True),
        ("é", "e\u0301", True),
    ],
)
def test_values_differ_as_json_does(old: Any, new: Any, different: bool) -> None:
    assert bool(list(diff(row(extra=old), row(extra=new)))) is different
    assert bool(list(diff(row(extra=new), row(extra=old)))) is different


def test_a_new_column_that_is_null_is_no_change_and_a_dropped_one_neither() -> None:
    assert list(diff(row(a=1, dropped=2), row(a=1, added=None))) == []
    (change,) = diff(row(a=1, dropped=2), row(a=1, added=3))
    assert (change.old, change.new) == ({"added": None}, {"added": 3})


@pytest.mark.parametrize(
    ("first", "then"),
    [("insert", "insert"), ("update", "insert"), ("delete", "update"), ("delete", "delete")],
)
def test_changes_that_do_not_follow_from_each_other_are_refused(first: str, then: str) -> None:
    made = {
        "insert": Change("t", "1", None, {"a": 1}),
        "update": Change("t", "1", {"a": 1}, {"a": 2}),
        "delete": Change("t", "1", {"a": 1}, None),
    }
    with pytest.raises(ValueError, match="t 1: a change does not follow"):
        list(net([[made[first]], [made[then]]]))


# -- released rows ---------------------------------------------------------------------------------

ROW = {"name": "a", "size": 1}


def _released(revision: str, row: dict[str, Any]) -> Change:
    return Change("groups", "1", row, None, revision).release()


def _inserted(revision: str, row: dict[str, Any]) -> Change:
    return Change("groups", "1", None, row, revision)


def _sized(revision: str, old: int, new: int) -> Change:
    return Change("groups", "1", {"size": old}, {"size": new}, revision, {"size": revision})


def _returned(revision: str, old: int, new: int) -> Change:
    if old == new:
        return Change("groups", "1", {}, {}, revision, released_before=True)
    return replace(_sized(revision, old, new), released_before=True)


def test_a_release_does_nothing_to_the_live_row_and_takes_it_out_of_the_seed() -> None:
    (change,) = net([[_released("r2", ROW)]])
    assert (change.kind, change.effect, change.after) == ("release", None, "released")
    assert (change.inverse().kind, change.inverse().effect) == ("return", None)


def test_an_insert_and_a_release_insert_on_the_way_up_and_delete_on_the_way_down() -> None:
    (change,) = net([[_inserted("r1", ROW)], [_sized("r2", 1, 2)], [_released("r3", {**ROW, "size": 2})]])
    assert (change.effect, change.new, change.after) == ("insert", {**ROW, "size": 2}, "released")
    assert (change.inverse().effect, change.inverse().old) == ("delete", {**ROW, "size": 2})


def test_an_update_before_a_release_still_happens() -> None:
    (change,) = net([[_sized("r2", 1, 2)], [_released("r3", {**ROW, "size": 2})]])
    assert (change.kind, change.effect, change.after) == ("release", "update", "released")
    assert (change.old, change.new) == ({"size": 1}, {"size": 2})
    assert dict(change.revisions) == {"size": "r2"}


def test_a_released_row_that_returns_is_updated_from_where_it_was() -> None:
    (change,) = net([[_released("r2", ROW)], [_returned("r3", 1, 5)]])
    assert (change.kind, change.old, change.new) == ("update", {"size": 1}, {"size": 5})
    assert change.after == "seeded"
    assert list(net([[_released("r2", ROW)], [_returned("r3", 1, 1)]])) == []
    (change,) = net([[_returned("r3", 1, 5)]])
    assert (change.kind, change.effect, change.inverse().kind) == ("return", "update", "release")


def test_a_row_that_was_inserted_released_and_brought_back_is_one_insert() -> None:
    (change,) = net([[_inserted("r1", ROW)], [_released("r2", ROW)], [_returned("r3", 1, 5)]])
    assert (change.kind, change.new, change.revision) == ("insert", {**ROW, "size": 5}, "r1")
    assert change.after == "seeded"


def test_a_difference_knows_the_rows_that_may_return() -> None:
    away = {"groups": {"1": ROW, "2": ROW}}
    (same,) = diff({}, {"groups": {"1": ROW}}, away)
    assert (same.kind, same.effect) == ("return", None)
    (edited,) = diff({}, {"groups": {"1": {**ROW, "size": 3}}}, away)
    assert (edited.kind, edited.old, edited.new) == ("return", {"size": 1}, {"size": 3})


def test_a_released_row_neither_changes_nor_comes_anew() -> None:
    for wrong in (_sized("r3", 1, 2), _inserted("r3", ROW), Change("groups", "1", ROW, None, "r3")):
        with pytest.raises(ValueError, match="does not follow"):
            list(net([[_released("r2", ROW)], [wrong]]))
