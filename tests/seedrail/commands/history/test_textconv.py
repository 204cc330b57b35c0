"""`seedrail textconv`: change files in words, as git shows them and as a function."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedrail import seed_id
from seedrail.commands.history.textconv import in_words
from seedrail.errors import OptionError
from seedrail.history.changes import Change, diff
from tests.seedrail.history.test_changefile import HEADER, encoded, named
from tests.seedrail.history.test_changes import STATES, State
from tests.support.changefiles import in_format_1
from tests.support.project import ROOT

LUMI = seed_id("machines", "lumi")
RUN = seed_id("simulations", "run", LUMI, "2020-01-01T00:00:00Z")
MACHINE = Change("machines", LUMI, None, {"name": "lumi", "site": "CSC", "notes": "a\nb"})
SIMULATION = Change(
    "simulations",
    RUN,
    None,
    {"case_name": "run", "machine_id": LUMI, "simulation_start_date": "2020-01-01T00:00:00Z"},
)


def told(content: bytes, folder: Path, name: str = "copy") -> list[str]:
    """The words of a file under a name that says nothing."""
    path = folder / name
    path.write_bytes(content)
    return list(in_words(path))


def test_rows_stand_by_name_and_id_with_every_column_and_link(tmp_path: Path) -> None:
    assert told(encoded([SIMULATION, MACHINE])[0], tmp_path)[:11] == [
        "seed_0002, after seed_0001: 2 inserts",
        "",
        f"+ machines (lumi) {LUMI}",
        "+   name: 'lumi'",
        "+   notes: 'a\\nb'",
        "+   site: 'CSC'",
        "",
        f"+ simulations (run, lumi, 2020-01-01T00:00:00Z) {RUN}",
        "+   case_name: 'run'",
        f"+   machine_id: machines (lumi) {LUMI}",
        "+   simulation_start_date: '2020-01-01T00:00:00Z'",
    ]


def test_a_link_out_of_the_file_is_an_id_and_a_released_row_shows_what_it_held(tmp_path: Path) -> None:
    lines = told(encoded([SIMULATION])[0], tmp_path)
    assert f"+   machine_id: machines ({LUMI})" in lines
    row = {"name": "lumi", "site": "CSC"}
    released = Change("machines", LUMI, row, row).release()
    lines = told(encoded([released], {"machines": {LUMI: row}})[0], tmp_path)
    assert lines[2:5] == [f"! machines (lumi) {LUMI} release", "    name: 'lumi'", "    site: 'CSC'"]


def test_the_header_is_a_line_for_each_thing_that_it_says(tmp_path: Path) -> None:
    lines = told(encoded([])[0], tmp_path)
    assert f'format 2, made from {{"revision":"seed_0001","sha256":"{"ab" * 32}"}}' in lines
    assert "table machines" in lines
    assert "  columns notes: text?" in lines
    assert "  foreign_keys machine_id: machines.id" in lines


@given(before=STATES, after=STATES, other=STATES)
def test_files_that_differ_differ_in_words(
    tmp_path_factory: pytest.TempPathFactory, before: State, after: State, other: State
) -> None:
    folder = tmp_path_factory.mktemp("words")
    one, two = (encoded(diff(named(before), named(state)), named(before))[0] for state in (after, other))
    assert (told(one, folder) == told(two, folder)) == (one == two)


@given(data=st.data())
def test_no_edit_of_a_value_hides(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """By whatever hand: each leaf of the file is in its words, or the file is shown as it is."""
    folder = tmp_path_factory.mktemp("words")
    lines = [json.loads(line) for line in encoded([SIMULATION, MACHINE])[0].splitlines()]
    before = told(_written(lines), folder)
    place = data.draw(st.sampled_from([*_leaves(lines)]))
    found: Any = lines
    for step in place[:-1]:
        found = found[step]
    old = found[place[-1]]
    found[place[-1]] = f"{old}x" if isinstance(old, str) else not old if isinstance(old, bool) else 7
    assert told(_written(lines), folder) != before


def _written(lines: list[Any]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _leaves(found: Any, path: tuple[Any, ...] = ()) -> Any:
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    if not isinstance(found, dict | list):
        yield path
    for key, one in items:
        yield from _leaves(one, (*path, key))


def test_gzip_is_known_by_its_bytes_and_format_1_names_whole_rows(tmp_path: Path) -> None:
    content, _ = encoded([MACHINE])
    assert told(gzip.compress(content), tmp_path, "copy.jsonl") == told(content, tmp_path, "copy.gz")
    assert f"+ machines (lumi) {LUMI}" in told(in_format_1(HEADER, [MACHINE]), tmp_path)


@pytest.mark.parametrize(
    ("content", "told_first", "shown"),
    [
        (b"<<<<<<< ours\n{}\n", "line 1 is not a header", "<<<<<<< ours"),
        (b'{"revision":"seed_0001"}\n', "line 1 is not a header", '{"revision":"seed_0001"}'),
        (b'{"format":9,"revision":"s"}\n', "has format 9, this engine reads 1 to 3", '{"format":9,"re'),
        (encoded([MACHINE])[0] + b"half a l", "line 3 is not a row change", "half a l"),
        (gzip.compress(b"\xff\x1b[2J\n" * 3, mtime=0)[:-6], "line 1 is not a header", "\\xff\\u001b[2J"),
        (b"\x1f\x8b\x00", "line 1 is not a header", "(it ends here: "),
    ],
)
def test_what_is_no_change_file_is_shown_as_it_is(
    content: bytes, told_first: str, shown: str, tmp_path: Path
) -> None:
    first, empty, *lines = told(content, tmp_path)
    assert (first, empty) == (f"no change file, {told_first}; as it is:", "")
    assert any(line.startswith(shown) for line in lines)


def test_an_empty_file_has_no_words_and_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert told(b"", tmp_path) == []
    with pytest.raises(OptionError, match="absent cannot be read: No such file"):
        list(in_words(tmp_path / "absent"))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_git_shows_words_in_every_command_that_compares(suffix: str, tmp_path: Path) -> None:
    """In a repository that is no project, whose files have had other suffixes too."""

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    def put(*changes: Change) -> None:
        content, _ = encoded(changes)
        file.write_bytes(gzip.compress(content, mtime=0) if suffix.endswith("gz") else content)

    git("init", "-q")
    git(
        "config", "diff.seeds.textconv", f"PYTHONPATH='{ROOT}' {sys.executable} -m seedrail.commands textconv"
    )
    (tmp_path / ".gitattributes").write_text("seeds/* -text diff=seeds\n")
    file = tmp_path / "seeds" / f"seed_0002{suffix}"
    file.parent.mkdir()
    put(MACHINE)
    git("add", "-A")
    git("commit", "-qm", "one")
    assert f"++ machines (lumi) {LUMI}\n++   name: 'lumi'" in git("show", "HEAD")

    put(Change("machines", LUMI, None, {"name": "lumi", "site": "Kajaani"}))
    assert "-+   site: 'CSC'\n++   site: 'Kajaani'" in git("diff")
    git("commit", "-qam", "two")
    assert git("log", "-p").count("+   site: 'CSC'") == 2

    file.write_bytes(b"<<<<<<< not any more\n")
    assert "+<<<<<<< not any more" in git("diff")
