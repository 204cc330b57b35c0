"""`seedrail show`, as a process in a copy of the project and as a function on histories of one table."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seedrail.commands import Cell, RevisionDiff, RowDiff, show
from seedrail.commands.history.render import as_markdown, as_text
from seedrail.errors import OptionError
from tests.seedrail.history.test_rail import STATES, History
from tests.support.project import Outcome, Project

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


def run(project: Project, *arguments: str) -> Outcome:
    return project.run("seedrail.commands", *arguments, DATABASE_URL=NO_DATABASE)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Machine `a` is inserted, then changed beside a new `b`, then deleted."""
    history = History(tmp_path)
    history.revision("seed_base", None)
    for number, state in enumerate(STATES, start=1):
        history.seed(f"seed_{number:04d}", state, f"seed_{number - 1:04d}" if number > 1 else "seed_base")
    return history


def test_an_update_shows_each_column_before_and_after(history: History) -> None:
    rows = {row.name: row for row in show(history.rail, "seed_0002").rows}
    assert rows["(a)"].kind == "update"
    assert rows["(a)"].cells == (Cell("notes", None, "n", link=False), Cell("site", "x", "y", link=False))
    assert list(as_text(show(history.rail, "seed_0002")))[2:7] == [
        "! machines (a)",
        "-   notes: NULL",
        "+   notes: 'n'",
        "-   site: 'x'",
        "+   site: 'y'",
    ]


def test_a_deleted_row_is_named_by_its_key_and_shows_what_it_held(history: History) -> None:
    [heading, _, *lines] = as_text(show(history.rail, "head"))
    assert heading.endswith("after seed_0002: 1 delete")
    assert lines == ["- machines (a)", "-   name: 'a'", "-   notes: 'n'", "-   site: 'y'"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("seed_000", "seed_000 may be any of seed_0001, seed_0002, seed_0003;"), ("", "'' names no revision")],
)
def test_a_name_that_tells_no_revision_is_refused(history: History, name: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        show(history.rail, name)
    assert str(caught.value).startswith(words)


def test_no_value_closes_the_block_of_markdown_or_begins_a_line() -> None:
    cell = Cell("notes", None, "```\n# a heading", link=False)
    diff = RevisionDiff("seed_0001", "seed_base", "m", (RowDiff("machines", "(a)", "", "insert", (cell,)),))
    [_, _, opening, *_, line, closing] = as_markdown(diff)
    assert (opening, closing) == ("````diff", "````")
    assert line == "+   notes: '```\\n# a heading'"


def test_a_revision_without_rows_is_a_sentence_of_markdown_and_no_empty_block() -> None:
    diff = RevisionDiff("seed_0004", "seed_0003", "m", ())
    assert list(as_markdown(diff)) == ["**`seed_0004`**: no row changes", ""]


def test_rows_and_links_are_named_without_a_database(sqlite_project: Project) -> None:
    shown = run(sqlite_project, "show", "seed_0002")
    assert (shown.code, shown.err) == (0, "")
    assert "+   simulation_id: simulations (20220414.SCREAMv1.ne1024pg2.2day.summit, summit," in shown.out
    assert "! machines (polaris)\n-   notes: NULL\n+   notes: 'One CPU" in shown.out
    assert "\x1b" not in shown.out


def test_json_lines_hold_every_row_of_the_change_file(sqlite_project: Project) -> None:
    rows = [
        json.loads(line)
        for line in run(sqlite_project, "show", "seed_0002", "--format", "jsonl").out.splitlines()
    ]
    whole = json.loads(run(sqlite_project, "show", "seed_0002", "--format", "json").out)
    assert [{"revision": "seed_0002", **row} for row in whole["rows"]] == rows
    lines = (sqlite_project.root / "migrations/seeds/seed_0002.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == len(lines) - 1


def test_an_edited_change_file_is_refused_and_not_shown(sqlite_project: Project) -> None:
    with (sqlite_project.root / "migrations/seeds/seed_0002.jsonl").open("a") as file:
        file.write("\n")
    shown = run(sqlite_project, "show", "seed_0002")
    assert (shown.code, shown.out) == (1, "")
    assert "its bytes do not match the digest" in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "0002"], 2, "0002 is not a revision with seeds"),
        (["show", "seed_base"], 2, "seed_base is not a revision with seeds"),
        (["show", "nothing"], 1, "nothing"),
        (["-c", "absent.ini", "show", "head"], 2, "there is no absent.ini here"),
        (["show", "head", "--format", "xml"], 2, "xml"),
    ],
)
def test_what_cannot_be_shown_is_said_with_its_exit_code(
    arguments: list[str], code: int, words: str, sqlite_project: Project
) -> None:
    shown = run(sqlite_project, *arguments)
    assert (shown.code, shown.out) == (code, "")
    assert words in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("arguments", [["--help"], ["show", "--help"]])
def test_help_says_the_exit_codes(arguments: list[str], sqlite_project: Project) -> None:
    assert "Exit codes: 0 done" in run(sqlite_project, *arguments).out


def test_colours_are_for_terminals_and_no_color_takes_them_away(sqlite_project: Project) -> None:
    asked = ("seedrail.commands", "show", "seed_0002")
    coloured = sqlite_project.run(*asked, FORCE_COLOR="1", TERM="xterm", NO_COLOR="").out
    plain = sqlite_project.run(*asked, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").out
    assert "\x1b[32m+   " in coloured
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full device is Linux's")
def test_a_full_device_is_one_sentence_and_its_exit_code(sqlite_project: Project) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "seedrail.commands", "show", "seed_0002"],
            cwd=sqlite_project.root,
            env=sqlite_project.env(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 8
    assert done.stderr == "ERROR: cannot write to standard output: No space left on device\n"
