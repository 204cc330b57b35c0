"""Change files side by side: what is of one row comes together, whatever format and order they have."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedrail.history import changefile
from seedrail.history.changefile import ChangeFile, Header, encode, sha256
from seedrail.history.changes import diff
from seedrail.history.rail.streams import merged, ranks, side_by_side
from tests.laws.world import catalog, group_id, node_id
from tests.support.changefiles import in_format_1

TABLES = catalog().tables
NAMES = st.sampled_from(["a", "b", 'a"', "é", "a b", "z"])
STATES = st.builds(
    lambda groups, nodes: {
        "groups": {group_id(name): {"name": name, "size": size} for name, size in groups.items()},
        "nodes": {
            node_id(name, group): {"name": name, "group_id": group_id(group), "hits": hits}
            for (name, group), hits in nodes.items()
            if group in groups
        },
    },
    st.dictionaries(NAMES, st.integers(0, 2)),
    st.dictionaries(st.tuples(NAMES, NAMES), st.integers(0, 2)),
)
FORMATS = st.sampled_from(["words", "format 1", "other order", "other key"])


def history(folder: Path, states: Sequence[Any], forms: Sequence[str]) -> list[ChangeFile]:
    """The change files of some states, each in a form of its own."""
    files = []
    for number, (before, after, form) in enumerate(zip([{}, *states], states, forms, strict=False), start=1):
        tables = dict(TABLES)
        if form == "other order":
            # Groups lead to nodes, as if that had been so once, and nodes nowhere.
            links = {"parent": replace(TABLES["nodes"].foreign_keys["group_id"], table="nodes")}
            tables["groups"] = replace(TABLES["groups"], foreign_keys=links)
            tables["nodes"] = replace(TABLES["nodes"], foreign_keys={})
        if form == "other key":
            # The same names in another order: what a row is called is as old as its id.
            tables["nodes"] = replace(TABLES["nodes"], key=("group_id", "name"))
        header, changes = Header(f"r{number}", f"r{number - 1}", "", tables), diff(before, after)
        old = form == "format 1"
        content = in_format_1(header, changes) if old else encode(header, changes, before)[0]
        file = ChangeFile(folder / f"{number}.jsonl", f"r{number}", sha256(content))
        file.path.write_bytes(content)
        files.append(file)
    return files


def rows(files: Sequence[ChangeFile]) -> dict[tuple[str, str], list[int]]:
    """What `side_by_side` says: of each row once, and table by table in the order that it tells."""
    found: dict[tuple[str, str], list[int]] = {}
    parts: list[str] = []
    for group in side_by_side(files, [file.header() for file in files]):
        if len(group) > 1:
            assert all(len(lines) == 1 for _, lines in group)
        for number, lines in group:
            for line in lines:
                if len(group) == 1:
                    assert line.seed_row not in found
                found.setdefault(line.seed_row, []).append(number)
                parts += [line.table] if parts[-1:] != [line.table] else []
    assert parts == sorted(set(parts), key=ranks(files, [file.header() for file in files]))
    return found


@given(histories=st.lists(st.tuples(STATES, FORMATS), min_size=1, max_size=5), block=st.integers(1, 400))
def test_files_of_any_forms_side_by_side_hold_what_each_holds(
    tmp_path_factory: pytest.TempPathFactory, histories: list[tuple[Any, str]], block: int
) -> None:
    states, forms = zip(*histories, strict=True)
    files = history(tmp_path_factory.mktemp("seeds"), states, forms)
    expected: dict[tuple[str, str], list[int]] = {}
    for number, file in enumerate(files):
        for change in file.changes():
            expected.setdefault(change.seed_row, []).append(number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changefile, "_CHUNK", block)
        assert rows(files) == expected


def test_files_in_one_order_are_streamed(tmp_path: Path) -> None:
    """Long ones are not read to their end where somebody wants the first rows."""
    names = [f"{number:04}" for number in range(3000)]
    state = {"groups": {group_id(name): {"name": name, "size": 1} for name in names}}
    bigger = {"groups": {id_: {**row, "size": 2} for id_, row in state["groups"].items()}}
    files = history(tmp_path, [state, bigger], ["words", "words"])
    seen: list[int] = []
    first = next(side_by_side(files, [file.header() for file in files], seen.append))
    assert [bytes(line.row) for _, (line,) in first] == [b'{"name":"0000"}'] * 2
    assert 0 < sum(seen) < sum(file.size for file in files) / 2


def test_what_is_bigger_is_streamed_past_files_of_another_format(tmp_path: Path) -> None:
    names = [f"{number:04}" for number in range(3000)]
    state = {"groups": {group_id(name): {"name": name, "size": 1} for name in names}}
    edited = {"groups": {**state["groups"], group_id("2999"): {"name": "2999", "size": 2}}}
    files = history(tmp_path, [state, edited], ["format 1", "words"])
    seen: list[int] = []
    groups = side_by_side(files, [file.header() for file in files], seen.append)
    next(groups)
    assert sum(seen) < files[0].size / 2
    both = [group for group in groups if len(group) > 1]
    assert [[number for number, _ in group] for group in both] == [[0, 1]]


@given(
    st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=4),
    st.integers(0, 3),
    st.integers(1, 7),
)
def test_merged_runs_are_sorted_and_what_several_have_of_a_row_comes_together(
    ids: list[set[int]], main: int, size: int
) -> None:
    """Whatever the blocks, and whichever of the runs passes by in blocks."""
    runs = [sorted(of) for of in ids]
    blocks = {
        number: [run[at : at + size] for at in range(0, len(run), size)] for number, run in enumerate(runs)
    }
    found: list[tuple[int, list[int]]] = []
    for group in merged(blocks, main % len(runs), lambda one: one):
        if len(group) == 1:
            ((number, alone),) = group
            found += [(one, [number]) for one in alone]
        else:
            (one,) = {one for _, (one,) in group}
            found.append((one, [number for number, _ in group]))
    every = sorted({one for run in runs for one in run})
    assert found == [(one, [n for n, of in enumerate(ids) if one in of]) for one in every]


def test_long_runs_are_streamed() -> None:
    def run(start: int) -> Iterator[list[int]]:
        return ([number] for number in count(start))

    groups = merged({0: run(0), 1: run(10**6)}, 0, lambda one: one)
    assert [next(groups) for _ in range(3)] == [[(0, [number])] for number in range(3)]
