"""Importing does nothing and warns of nothing; the rival of libpass is refused by name."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import ADMIN, PROVISION, Commands, refused
from tests.support.project import Project

GOOD = PASSWORD.get_secret_value()


@pytest.fixture
def rival(tmp_path: Path) -> str:
    """A folder in which the distribution passlib is installed."""
    folder = tmp_path / "rival" / "passlib-1.7.4.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: passlib\nVersion: 1.7.4\n")
    return str(folder.parent)


def test_importing_warns_of_nothing_and_does_nothing(sqlite_project: Project) -> None:
    code = (
        f"import {ADMIN}, {PROVISION}, app.core.security as security, app.core.database as database;"
        " print(security._context.cache_info().currsize, database.get_engine.cache_info().currsize)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=sqlite_project.root,
        env=sqlite_project.env(DATABASE_URL="no database at all"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 0\n", "")


@pytest.mark.long
def test_making_an_admin_warns_of_nothing(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    outcome = sqlite_project.run(
        ADMIN, "--email", EMAIL, APP_ADMIN_PASSWORD=GOOD, PYTHONWARNINGS="error", PYTHONDEVMODE="1"
    )
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"admin {EMAIL}: created\n")


@pytest.mark.long
def test_the_distribution_passlib_beside_libpass_is_refused(sqlite_project: Project, rival: str) -> None:
    sqlite_project.start_at("head")
    outcome = sqlite_project.run(ADMIN, "--email", EMAIL, APP_ADMIN_PASSWORD=GOOD, PYTHONPATH=rival)
    refused(2, outcome, "passlib 1.7.4 is installed beside libpass")
    assert sqlite_project.database.scalar("SELECT count(*) FROM users") == 0


def test_tokens_need_no_password_and_go_on(
    sqlite_commands: Commands, rival: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(rival)
    assert sqlite_commands.bot("--format", "json").code == 0
