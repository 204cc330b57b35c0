"""Where a run's report goes: to a file of its own, whole, and over no other file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seedrail.errors import OptionError
from seedrail.merge.report.answers.report_file import ReportError, ReportFile
from tests.support.project import Outcome, Project

LINE: dict[str, Any] = {"move": ["seed_0001", "seed_0002"], "table": "groups", "decision": "keep"}


def write(path: Path, *lines: bytes, database: tuple[Path, ...] = ()) -> None:
    file = ReportFile(path, database)
    for line in lines:
        file.write(line)
    file.end()


@pytest.mark.parametrize(
    "before",
    [b"", json.dumps(LINE).encode() + b"\nmore", b'{"move":["a","b"],"found":"' + b"x" * 100_000 + b'"}\n'],
    ids=["empty", "filled in", "long"],
)
def test_a_report_takes_the_place_of_another(tmp_path: Path, before: bytes) -> None:
    file = tmp_path / "report.jsonl"
    file.write_bytes(before)
    write(file, b"{}")
    assert file.read_bytes() == b"{}\n"
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    "before",
    [b"[]", b"SQLite format 3\0", b"\n{}", b'{"table": "groups"}\n', b"[" * 100_000, b"\xff" * 100_000],
    ids=["document", "database", "blank line", "no move", "deep", "binary"],
)
def test_a_file_that_is_no_report_is_left_alone(tmp_path: Path, before: bytes) -> None:
    file = tmp_path / "simulations.json"
    file.write_bytes(before)
    (tmp_path / "link").symlink_to(file)
    for name in ("simulations.json", "link"):
        with pytest.raises(OptionError, match=f"{name} is there already, and is no report of a run"):
            ReportFile(tmp_path / name, ())
    assert file.read_bytes() == before


def test_the_run_s_own_database_is_left_alone_also_while_it_is_empty(tmp_path: Path) -> None:
    database = tmp_path / "new.db"
    for there in (False, True):
        if there:
            database.touch()
        with pytest.raises(OptionError, match="is there already"):
            ReportFile(tmp_path / "folder" / ".." / "new.db", [database])


def test_an_error_while_it_is_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot write /dev/full: No space left on device") as caught:
        write(Path("/dev/full"), b"{}")
    assert caught.value.exit_code == 8
    reading, writing = os.pipe()
    path = Path(f"/dev/fd/{writing}")
    file = ReportFile(path, ())
    file.write(b"{}")
    os.close(reading)
    with pytest.raises(ReportError, match="Broken pipe"):
        file.end()
    os.close(writing)


@pytest.fixture
def edited(sqlite_project: Project) -> Project:
    sqlite_project.start_at("head")
    sqlite_project.database.execute("UPDATE machines SET site = 'mine' WHERE name = 'lumi'")
    return sqlite_project


def down(project: Project, report: str | Path, *command: str) -> Outcome:
    """A rollback that is refused, in whatever way."""
    return project.alembic_fails("-x", f"seed_report={report}", *(command or ("downgrade", "seed_base")))


def test_alembic_says_where_a_report_cannot_be(edited: Project) -> None:
    url = edited.database.engine.url.database
    assert url is not None
    document = edited.document("machines")
    before = document.read_bytes(), Path(url).read_bytes()
    for path, words, code in [
        (edited.root, "seed_report: cannot write", 2),
        (Path(url), "is no report of a run", 2),
        (document, "is no report of a run", 2),
        (Path("/dev/full"), "No space left on device; nothing was written to the database", 8),
    ]:
        outcome = down(edited, path)
        assert words in outcome.err, path
        assert outcome.code == code, path
    assert (document.read_bytes(), Path(url).read_bytes()) == before
    assert edited.heads() == {"seed_0004"}


def test_a_report_to_standard_output_is_written_there(edited: Project) -> None:
    lines = [json.loads(line) for line in down(edited, "/dev/stdout").out.splitlines()]
    assert "mine" in [line["found"] for line in lines]
    out = edited.root / "out"
    command = ["-m", "alembic", "-x", "seed_report=/dev/stdout", "downgrade", "seed_base"]
    with out.open("w") as file:
        file.write("before\n")
        file.flush()
        subprocess.run(
            [sys.executable, *command], cwd=edited.root, env=edited.env(), stdout=file, check=False
        )
    first, *rest = out.read_text().splitlines()
    assert (first, [json.loads(line) for line in rest]) == ("before", lines)


def test_a_plan_that_cannot_be_made_leaves_no_half_a_report(edited: Project) -> None:
    report = edited.root / "report.jsonl"
    report.write_text(json.dumps(LINE) + "\n")
    (change,) = (edited.root / "migrations" / "seeds").glob("seed_0002*")
    change.write_bytes(change.read_bytes() + b"\n")
    outcome = edited.run("seedrail.commands", "plan", "-x", f"seed_report={report}", "seed_base")
    assert outcome.code == 1, outcome.text
    assert json.loads(report.read_text()) == LINE
    assert not [*edited.root.glob("*.partial")]
