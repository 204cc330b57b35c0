"""Change files: the same changes give the same bytes, and other bytes are refused."""

import gzip
import json
import os
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.features.catalog import seed_catalog
from seedrail import ChangeFileError, Rail
from seedrail.history.changefile import ChangeFile, Header, encode, sha256, write
from seedrail.history.changes import Change, diff
from seedrail.schema.identity import seed_id
from tests.seedrail.history.test_changes import STATES, State, in_file, plain
from tests.support.changefiles import in_format_1

TABLES = seed_catalog().tables
HEADER = Header("seed_0002", "seed_0001", "ab" * 32, TABLES)
LIMIT: dict[str, int] = {}
"""What `encode` is told of sizes."""
INSERT = Change("machines", seed_id("machines", "x"), None, {"name": "x", "notes": "é\n\u2028😀"})


def named(state: State) -> State:
    """The state with real ids."""
    return {table: {seed_id(table, id_): row for id_, row in rows.items()} for table, rows in state.items()}


def encoded(changes: Iterable[Change], known: State | None = None) -> tuple[bytes, str]:
    return encode(HEADER, changes, known or {}, **LIMIT)


def put(folder: Path, content: bytes, suffix: str = ".jsonl", revision: str = "seed_0002") -> ChangeFile:
    """A change file with its digest pinned as it is."""
    path = folder / f"{revision}{suffix}"
    path.write_bytes(content)
    return ChangeFile(path, revision, sha256(content))


@pytest.fixture(params=[".jsonl", ".jsonl.gz"])
def suffix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == ".jsonl.gz":
        monkeypatch.setitem(LIMIT, "text_up_to", 1)
    return request.param


@given(before=STATES, after=STATES)
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, before: State, after: State
) -> None:
    changes = list(diff(named(before), named(after)))
    content, found = encoded(changes, named(before))
    assert found == suffix
    file = put(tmp_path_factory.mktemp("seeds"), content, suffix)
    file.verify()
    assert file.header() == HEADER
    (expected,) = in_file([changes])
    read = sorted(file.changes(), key=attrgetter("seed_row"))
    assert [(c.seed_row, c.kind) for c in read] == [(c.seed_row, c.kind) for c in expected]
    assert [(c.old, c.new) for c in read] == [(c.old, c.new) for c in expected]
    assert {c.revision for c in read} <= {"seed_0002"}
    # Written again, it is the same file.
    assert encode(file.header(), read, named(before), **LIMIT) == (content, suffix)


@given(before=STATES, after=STATES, data=st.data())
def test_the_bytes_do_not_depend_on_the_order_of_keys(
    suffix: str, before: State, after: State, data: st.DataObject
) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            keys = data.draw(st.permutations(list(value)))
            return {key: shuffled(value[key]) for key in keys}
        return value

    before, after = named(before), named(after)
    one = encoded(diff(before, after), before)
    tables = dict(reversed(TABLES.items()))
    header, changes = Header("seed_0002", "seed_0001", "ab" * 32, tables), diff(before, shuffled(after))
    other = encode(header, data.draw(st.permutations(list(changes))), shuffled(before), **LIMIT)
    assert one == other


def shipped() -> Rail:
    from alembic.script import ScriptDirectory

    from app.core.migration import alembic_config

    return Rail(ScriptDirectory.from_config(alembic_config()))


def test_the_shipped_files_are_read_as_they_were_written() -> None:
    revisions = [one for one in shipped().revisions if one.file.header().format == 1]
    assert len(revisions) >= 4
    for one in revisions:
        content = in_format_1(one.file.header(), one.file.changes())
        assert sha256(content) == one.file.sha256
        assert one.file.path.name == f"{one.revision}.jsonl"


def test_the_shipped_changes_are_the_same_in_the_newest_format(tmp_path: Path) -> None:
    rail = shipped()
    for one in rail.revisions:
        changes, known = list(one.file.changes()), rail.state_at(one.parent)
        content, suffix = encode(one.file.header(), changes, known)
        again = put(tmp_path, content, suffix, one.revision)
        assert again.header().format == 2
        assert sorted(again.changes(), key=attrgetter("seed_row")) == changes


def test_a_line_begins_with_its_row_in_words_and_children_stand_beside_their_siblings() -> None:
    """Parents first, and rows by what people call them: whatever their ids are."""
    names = ["summit", "chrysalis", 'a "b"\n']
    state: State = {"machines": {seed_id("machines", name): {"name": name} for name in names}}
    summit = seed_id("machines", "summit")
    runs = {
        seed_id("simulations", case, summit, None): {"case_name": case, "machine_id": summit}
        for case in ("b-2", "a-1", "a-2")
    }
    links = {
        seed_id("artifacts", run, "output", uri): {"simulation_id": run, "kind": "output", "uri": uri}
        for run in runs
        for uri in ("file:/2", "file:/1")
    }
    content, _ = encoded(diff({}, {**state, "simulations": runs, "artifacts": links}))
    lines = [json.loads(line) for line in content.splitlines()[1:]]
    assert {tuple(line)[:3] for line in lines} == {("table", "row", "id")}
    told = [(line["table"], line["row"]) for line in lines]
    cases = [
        {"case_name": case, "machine_id": {"name": "summit"}, "simulation_start_date": None}
        for case in ("a-1", "a-2", "b-2")
    ]
    assert told == [
        *(("machines", {"name": name}) for name in ('a "b"\n', "chrysalis", "summit")),
        *(("simulations", case) for case in cases),
        *(
            ("artifacts", {"simulation_id": case, "kind": "output", "uri": uri})
            for case in cases
            for uri in ("file:/1", "file:/2")
        ),
    ]


def test_an_update_and_a_delete_say_whose_they_are() -> None:
    id_ = seed_id("machines", "summit")
    for after in ({id_: {"name": "summit", "notes": "gone"}}, {}):
        before = {"machines": {id_: {"name": "summit", "notes": "here"}}}
        content, _ = encoded(diff(before, {"machines": after}), before)
        line = json.loads(content.splitlines()[1])
        assert line["row"] == {"name": "summit"}
        assert ("name" in line["old"]) is (not after)


def test_each_change_is_one_line_whatever_its_text_holds(tmp_path: Path) -> None:
    content, _ = encoded([INSERT])
    assert content.count(b"\n") == 2
    (change,) = put(tmp_path, content).changes()
    assert change.new == INSERT.new


def test_files_are_compressed_above_a_size_and_hold_no_time_or_name() -> None:
    plain_, suffix = encode(HEADER, [INSERT], {})
    assert suffix == ".jsonl"
    assert encode(HEADER, [INSERT], {}, len(plain_)) == (plain_, ".jsonl")
    packed, suffix = encode(HEADER, [INSERT], {}, len(plain_) - 1)
    assert suffix == ".jsonl.gz"
    assert gzip.decompress(packed) == plain_
    assert packed[3:8] == b"\0" * 5  # no flags (so no name), and the time 0


def test_a_value_that_json_cannot_hold_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encoded([Change("machines", INSERT.id, None, {"name": float("nan")})])


# -- tampering -------------------------------------------------------------------------------------


@given(data=st.data())
def test_a_file_with_any_byte_changed_is_refused(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    content, _ = encoded([INSERT])
    file = put(tmp_path_factory.mktemp("seeds"), content, suffix)
    position = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != content[position]))
    file.path.write_bytes(content[:position] + bytes([byte]) + content[position + 1 :])
    with pytest.raises(
        ChangeFileError, match="its bytes do not match the digest that revision seed_0002 pins"
    ):
        file.verify()


@pytest.mark.parametrize(
    "tamper",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
    ],
)
def test_a_file_cut_short_or_with_something_added_is_refused(tmp_path: Path, tamper) -> None:
    content, _ = encoded([INSERT])
    file = put(tmp_path, content)
    file.path.write_bytes(tamper(content))
    with pytest.raises(ChangeFileError) as caught:
        file.verify()
    assert caught.value.file == "seed_0002.jsonl"
    assert "nothing was written\n  restore the file as it was committed" in str(caught.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    file = ChangeFile(tmp_path / "seed_0002.jsonl", "seed_0002", "")
    for attempt in (file.verify, file.header, lambda: list(file.changes())):
        with pytest.raises(ChangeFileError, match=r"seed_0002\.jsonl: cannot be read: .*No such file"):
            attempt()
    file.path.mkdir()
    with pytest.raises(ChangeFileError, match=r"seed_0002\.jsonl: cannot be read: .*Is a directory"):
        file.verify()


# -- files that were pinned wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[]", "null", "5", "{}", '{"format":1}', "[" * 100_000, '{"format":' + "9" * 10_000 + "}",
        HEADER.to_line().replace('"string(255)"', '"varchar"', 1),
        HEADER.to_line().replace('"string(255)"', "5", 1),
        HEADER.to_line().replace('"users.id?"', '"users"'),
        HEADER.to_line().replace('"parent":', '"parents":'),
    ],
)  # fmt: skip
def test_a_first_line_that_is_no_header_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ChangeFileError, match=r"line 1 is not a header|has format None"):
        put(tmp_path, (line + "\n").encode()).header()


def test_a_newer_format_says_what_to_use(tmp_path: Path) -> None:
    line = HEADER.to_line().replace('"format":2', '"format":4')
    with pytest.raises(ChangeFileError, match=r"has format 4, this engine reads 1 to 3; .*\n  use the"):
        put(tmp_path, line.encode()).header()


def test_the_header_of_another_revision_is_refused(tmp_path: Path) -> None:
    content, _ = encoded([])
    with pytest.raises(ChangeFileError, match="belongs to revision 'seed_0002', not 'seed_0003'"):
        put(tmp_path, content, revision="seed_0003").header()


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[]", "null", "{}", "[" * 100_000,
        json.dumps({"table": "machines", "row": {}, "id": INSERT.id}),
        json.dumps({"table": "machines", "row": {}, "id": INSERT.id, "new": {}}),
        json.dumps({"table": "machines", "row": {}, "id": INSERT.id, "new": 5}),
        json.dumps({"table": "machines", "row": {}, "id": INSERT.id, "old": [1], "new": {"a": 1}}),
        json.dumps({"table": "machines", "row": {}, "id": "x", "new": {"a": 1}}),
        json.dumps({"table": "machines", "row": {}, "id": None, "new": {"a": 1}}),
        json.dumps({"table": None, "row": {}, "id": INSERT.id, "new": {"a": 1}}),
        json.dumps({"row": {}, "id": INSERT.id, "new": {"a": 1}}),
    ],
)  # fmt: skip
def test_a_line_that_is_no_change_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ChangeFileError, match="line 2 is not a row change"):
        list(put(tmp_path, f"{HEADER.to_line()}\n{line}\n".encode()).changes())


def test_a_line_without_words_is_named(tmp_path: Path) -> None:
    line = json.dumps({"table": "machines", "id": INSERT.id, "new": {"name": "x"}})
    with pytest.raises(ChangeFileError, match="line 2 does not say its row's natural key"):
        list(put(tmp_path, f"{HEADER.to_line()}\n{line}\n".encode()).changes())


def test_lines_out_of_order_or_repeated_are_refused(tmp_path: Path) -> None:
    content, _ = encoded([INSERT, INSERT])
    with pytest.raises(ChangeFileError, match="line 3 is out of order"):
        list(put(tmp_path, content).changes())


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-9],
        lambda packed: packed[:20] + bytes(20) + packed[40:],
        lambda packed: packed[:-8] + bytes(8),
        lambda packed: b"not gzip",
        lambda packed: gzip.compress(b"\xff\xfe\n"),
    ],
)
def test_damaged_gzip_is_an_error_that_names_the_file(tmp_path: Path, damage) -> None:
    content = damage(gzip.compress(encoded([INSERT])[0] * 20, mtime=0))
    file = put(tmp_path, content, ".jsonl.gz")
    with pytest.raises(ChangeFileError, match=r"^seed_0002\.jsonl\.gz: "):
        _ = file.header(), list(file.changes())


# -- writing ---------------------------------------------------------------------------------------


def test_a_file_is_put_in_place_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "seeds" / "seed_0002.jsonl"
    write(path, b"first")

    def power_cut(_: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("os.fsync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        write(path, b"second")
    assert path.read_bytes() == b"first"
    assert [file.name for file in path.parent.iterdir()] == ["seed_0002.jsonl"]


def test_plain_states_compare_without_nulls() -> None:
    # The oracle of the laws, itself tried once.
    assert plain({"t": {"1": {"a": None, "b": True}}, "u": {}}) == {"t": {"1": {"b": "bool True"}}}


def test_a_named_pipe_in_place_of_a_change_file_is_refused_without_waiting(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"seed_0002{suffix}"
    os.mkfifo(path)
    file = ChangeFile(path, "seed_0002", "ab" * 32)
    for read in (file.verify, file.header, lambda: list(file.changes())):
        with pytest.raises(ChangeFileError, match="cannot be read: Is a named pipe, and no file"):
            read()
