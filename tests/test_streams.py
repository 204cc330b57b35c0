"""Standard output and standard error: UTF-8 in any locale, and what happens where nobody takes them."""

import os
import subprocess
import sys

import pytest

from tests.scripts.users.running import through_shell
from tests.support.project import Project

# Every case runs commands with odd streams.
pytestmark = pytest.mark.long

SEED = "app.scripts.db.seed"
SCRIPT = ("alembic", "upgrade", "seed_base:seed_0002", "--sql")

LOCALES: dict[str, dict[str, str]] = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252:strict"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
}


def bytes_of(project: Project, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """A command with its bytes, started as a shell would: Python decides on the streams when it starts."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project.root,
        env=project.env(**environment),
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("locale", LOCALES)
def test_a_script_is_utf8_in_any_locale(sqlite_project: Project, locale: str) -> None:
    done = bytes_of(sqlite_project, *SCRIPT, **LOCALES[locale])
    assert done.returncode == 0, done.stderr
    assert "°" in done.stdout.decode("utf-8")


def test_a_file_that_a_locale_cannot_name_is_a_settings_error(sqlite_project: Project) -> None:
    url = "sqlite:////no/such/dürre/x.db"
    refused = bytes_of(sqlite_project, SEED, DATABASE_URL=url, **LOCALES["C"])
    assert refused.returncode == 2, refused.stderr
    assert "dürre/x.db', that cannot be named in this locale" in refused.stderr.decode("utf-8")


@pytest.mark.parametrize("locale", ["latin-1", "ascii"])
def test_help_and_refusals_are_utf8_in_any_locale(sqlite_project: Project, locale: str) -> None:
    told = bytes_of(sqlite_project, SEED, "--help", **LOCALES[locale])
    assert told.returncode == 0, told.stderr
    assert "NAME,…" in told.stdout.decode("utf-8")
    refused = bytes_of(sqlite_project, SEED, DATABASE_URL="sqlite:////no/such/dürre/x.db", **LOCALES[locale])
    assert refused.returncode == 6
    assert "/no/such/dürre" in refused.stderr.decode("utf-8")


BUFFERING = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


@BUFFERING
def test_a_closing_line_that_cannot_be_written_says_that_the_database_was_changed(
    sqlite_project: Project, unbuffered: str
) -> None:
    project = sqlite_project
    project.environment["PYTHONUNBUFFERED"] = unbuffered
    done = through_shell(project, 'exec "$@" >/dev/full', SEED)
    assert done.code == 8, done.err
    assert done.err.splitlines()[-1] == (
        "ERROR: cannot write to standard output: No space left on device; what was asked for is done:"
        f" {project.database.url} is at seed_0004"
    )
    assert project.heads() == {"seed_0004"}


def test_a_reader_that_is_gone_is_said_too(sqlite_project: Project) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", SEED, "--quiet"],
        cwd=sqlite_project.root,
        env=sqlite_project.env(),
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    # Quiet: there was nothing to write.
    assert (done.returncode, done.stderr) == (0, b"")
    done = subprocess.run(
        [sys.executable, "-m", SEED],
        cwd=sqlite_project.root,
        env=sqlite_project.env(),
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 8
    assert b"Broken pipe; what was asked for is done: " in done.stderr
    assert b"Exception ignored" not in done.stderr


@BUFFERING
@pytest.mark.parametrize(
    ("shell", "arguments", "reason"),
    [
        ('exec "$@" >/dev/full', SCRIPT, "No space left on device"),
        ('exec "$@" >&-', SCRIPT, "it is closed"),
        ('exec "$@" >/dev/full', ("alembic", "current"), "No space left on device"),
        ('exec "$@" >&-', ("alembic", "current"), "it is closed"),
        ('exec "$@" >/dev/full', (SEED, "--help"), "No space left on device"),
    ],
)
def test_a_result_that_cannot_be_written_is_an_output_error(
    sqlite_project: Project, unbuffered: str, shell: str, arguments: tuple[str, ...], reason: str
) -> None:
    sqlite_project.start_at("seed_0002")
    sqlite_project.environment["PYTHONUNBUFFERED"] = unbuffered
    done = through_shell(sqlite_project, shell, *arguments)
    assert done.code == 8, done.err
    errors = [line for line in done.err.splitlines() if not line.startswith("INFO ")]
    assert errors == [f"ERROR: cannot write to standard output: {reason}"]


@BUFFERING
@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    "arguments", [("check",), ("revision", "-m", "more"), ("merge", "--splice", "0001", "0002")]
)
def test_what_alembic_says_by_the_way_changes_nothing(
    sqlite_project: Project, unbuffered: str, redirect: str, arguments: tuple[str, ...]
) -> None:
    project = sqlite_project
    project.start_at("seed_0004")
    project.environment["PYTHONUNBUFFERED"] = unbuffered
    files = len(project.versions())
    done = through_shell(project, f'exec "$@" {redirect}', "alembic", *arguments)
    assert done.code == 0, done.err
    assert all(line.startswith("INFO ") for line in done.err.splitlines()), done.err
    assert len(project.versions()) - files == {"check": 0, "revision": 3, "merge": 1}[arguments[0]]


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-", ">&-", ">&- 2>&-"])
def test_what_nobody_wants_to_hear_changes_no_exit_code(sqlite_project: Project, redirect: str) -> None:
    done = through_shell(sqlite_project, f'exec "$@" {redirect}', SEED)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert sqlite_project.heads() == {"seed_0004"}
    done = through_shell(sqlite_project, f'exec "$@" {redirect}', "alembic", "downgrade", "seed_base")
    assert done.code == 0, done.err
    assert sqlite_project.heads() == {"seed_base", "0003"}
