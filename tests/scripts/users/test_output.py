"""A token that cannot be shown was never issued: full disks, readers that are gone, files that are there."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.scripts.users.running import ADMIN, PROVISION, TOKEN, Commands, refused, through_shell
from tests.support.project import Outcome, Project
from tests.support.umask import umask

BOT = (PROVISION, "--service-name", "ingest-bot")
GOOD = "umbrella Kestrel 41 rowing"


@pytest.fixture
def migrated(sqlite_project: Project) -> Project:
    sqlite_project.start_at("head")
    return sqlite_project


def assert_nothing_was_issued(on: Project | Commands) -> None:
    tables = ("users", "api_tokens", "audit_events")
    assert [on.database.scalar(f"SELECT count(*) FROM {table}") for table in tables] == [0, 0, 0]


def assert_failed(outcome: Outcome, reason: str) -> None:
    """Exit 8 with one message, and nothing that looks like a token."""
    assert outcome.code == 8, outcome.text
    assert outcome.err == f"ERROR: {reason}\n"
    assert not re.search(TOKEN, outcome.text)


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o777])
def test_a_tokens_file_is_its_owners_alone_whatever_the_umask(
    sqlite_commands: Commands, tmp_path: Path, mask: int
) -> None:
    file = tmp_path / "token"
    with umask(mask):
        outcome = sqlite_commands.bot("--output-file", str(file))
    assert outcome.code == 0, outcome.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.fullmatch(f"{TOKEN}\n", file.read_text())


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
@pytest.mark.parametrize("mode", [[], ["--ensure"]])
def test_what_is_there_is_never_written_to(
    sqlite_commands: Commands, tmp_path: Path, kind: str, mode: list[str]
) -> None:
    target, file = tmp_path / "target", tmp_path / "token"
    if kind == "file":
        file.write_text("precious")
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(target)
    if kind == "link":
        target.write_text("precious")
    outcome = sqlite_commands.bot(*mode, "--output-file", str(file))
    refused(8, outcome, f"{file} is there already; it is never overwritten")
    assert_nothing_was_issued(sqlite_commands)
    assert target.exists() is (kind == "link")
    assert file.is_symlink() is ("link" in kind)
    if kind in ("file", "link"):
        assert file.read_text() == "precious"


@pytest.mark.parametrize("name", ["-", "", "."])
def test_a_dash_is_no_file_and_neither_is_what_has_no_name(sqlite_commands: Commands, name: str) -> None:
    refused(2, sqlite_commands.bot("--output-file", name), "for standard output, leave it out")


def test_whether_a_file_that_is_there_may_be_read_does_not_matter(
    sqlite_commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("precious")
    # As it is for everybody but root.
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(file) and access(path, mode))
    refused(8, sqlite_commands.bot("--output-file", str(file)), "is there already")
    assert sqlite_commands.bot("--output-file", str(file), "--replace").code == 0


def test_replace_is_for_a_file(sqlite_commands: Commands, tmp_path: Path) -> None:
    refused(2, sqlite_commands.bot("--format", "text", "--replace"), "--replace is for an --output-file")
    file = tmp_path / "token"
    file.write_text("precious")
    assert sqlite_commands.bot("--output-file", str(file), "--replace").code == 0
    assert re.fullmatch(f"{TOKEN}\n", file.read_text())


def test_a_folder_that_is_missing_is_an_output_error(sqlite_commands: Commands, tmp_path: Path) -> None:
    outcome = sqlite_commands.bot("--output-file", str(tmp_path / "no" / "token"))
    refused(8, outcome, "No such file or directory")
    assert_nothing_was_issued(sqlite_commands)


def test_a_full_disk_leaves_no_token_and_no_file(postgresql_project: Project, tmp_path: Path) -> None:
    # On SQLite the database would be what is full.
    file = tmp_path / "token"
    outcome = through_shell(postgresql_project, 'ulimit -f 0 && exec "$@"', *BOT, "--output-file", str(file))
    assert_failed(outcome, f"cannot write {file}: File too large")
    assert_nothing_was_issued(postgresql_project)
    assert not file.exists()


def test_a_commit_that_fails_takes_the_file_with_it(sqlite_commands: Commands, tmp_path: Path) -> None:
    # SQLite's commit waits for readers, after the token was written.
    with sqlite_commands.database.engine.connect() as reader:
        reader.execute(text("SELECT 1 FROM users")).all()
        file = tmp_path / "token"
        outcome = sqlite_commands.bot("--lock-timeout", "0.2", "--output-file", str(file))
    refused(7, outcome, "nothing was changed")
    assert not file.exists()
    assert_nothing_was_issued(sqlite_commands)


# -- standard output -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('exec "$@" >/dev/full', "No space left on device"),
        pytest.param('exec "$@" >&-', "it is closed", marks=pytest.mark.long),
    ],
)
def test_where_standard_output_takes_nothing_nothing_is_issued(
    migrated: Project, script: str, reason: str
) -> None:
    outcome = through_shell(migrated, script, *BOT, "--format", "env")
    assert_failed(outcome, f"cannot write to standard output: {reason}")
    assert_nothing_was_issued(migrated)


def test_where_the_reader_is_gone_nothing_is_issued(migrated: Project) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", *BOT, "--format", "text"],
        cwd=migrated.root,
        env=migrated.env(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    _, err = process.communicate(timeout=90)
    assert_failed(Outcome(process.returncode, "", err), "cannot write to standard output: Broken pipe")
    assert_nothing_was_issued(migrated)


@pytest.mark.long
def test_an_admin_whose_result_cannot_be_written_is_not_made(migrated: Project) -> None:
    script = f'echo "{GOOD}" | "$@" >/dev/full'
    outcome = through_shell(
        migrated, script, ADMIN, "--email", "ada@example.org", "--password-stdin", "--format", "json"
    )
    assert_failed(outcome, "cannot write to standard output: No space left on device")
    assert_nothing_was_issued(migrated)


@pytest.mark.parametrize("stderr", ["2>&-", pytest.param("2>/dev/full", marks=pytest.mark.long)])
@pytest.mark.long
def test_messages_that_nobody_can_read_are_dropped_and_never_mixed_with_the_token(
    migrated: Project, stderr: str
) -> None:
    outcome = through_shell(migrated, f'exec "$@" {stderr}', *BOT, "--format", "text")
    assert outcome.code == 0, outcome.text
    assert re.fullmatch(f"{TOKEN}\n", outcome.out)
    assert outcome.err == ""


@pytest.mark.long
def test_an_error_that_nobody_can_read_keeps_its_exit_code_and_leaves_standard_output_alone(
    migrated: Project,
) -> None:
    script = '"$@" --expires-in-days 0 2>&-; echo "code $?"'
    assert through_shell(migrated, script, *BOT, "--format", "text").out == "code 4\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [PROVISION, "--format", "text"],
        pytest.param([ADMIN, "--email", "ada@example.org", "--password-stdin"], marks=pytest.mark.long),
    ],
)
@pytest.mark.long
def test_with_standard_input_closed_what_is_missing_is_wrong_usage(
    migrated: Project, arguments: list[str]
) -> None:
    outcome = through_shell(migrated, 'exec "$@" <&-', *arguments)
    refused(2, outcome, "ERROR: ")
    assert_nothing_was_issued(migrated)
